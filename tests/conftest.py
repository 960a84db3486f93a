"""What all tests share; being here makes the modules of this folder importable from every test."""

from __future__ import annotations

from hypothesis import settings

# Machines that run tests may be busy: what is slow is measured in benchmarks, not here.
settings.register_profile("mmspec", deadline=None)
settings.load_profile("mmspec")
