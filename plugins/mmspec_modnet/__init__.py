"""Networks grown on a hierarchy of classes, after ModNet: tasks over image folders, and a growing network."""
