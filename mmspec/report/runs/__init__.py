"""Which runs a report reads, and what is to be said of them."""
