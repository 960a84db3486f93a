"""A number's way back to its runs."""
