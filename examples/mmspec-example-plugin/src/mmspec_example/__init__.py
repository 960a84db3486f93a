"""Plugins for mmspec in a distribution of their own."""
