"""Tables of runs: averaged, ranked and tested."""
