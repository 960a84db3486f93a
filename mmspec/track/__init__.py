"""Trackers: services that mirror the records of runs. The records stay the source of truth."""
