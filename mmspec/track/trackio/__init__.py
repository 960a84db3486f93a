"""trackio: mirrored to, read from."""
