"""Plugins: their contracts, discovery, and specs with plugins in place."""
