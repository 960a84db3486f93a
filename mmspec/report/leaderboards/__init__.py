"""Leaderboards: methods ranked on one number, beside published entries."""
