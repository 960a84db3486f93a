"""Weights & Biases: mirrored to, uploaded to later, read from."""
