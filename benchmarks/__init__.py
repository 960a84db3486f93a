"""What mmspec costs, as ratios measured side by side: `make bench`, or `python -m benchmarks loop`."""
