"""What all tests share; being here makes the modules of this folder importable from every test."""

from __future__ import annotations

import os

from hypothesis import settings

# Tests run side by side, one thread each; set before torch is imported, and inherited by what tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Machines that run tests may be busy: what is slow is measured in benchmarks, not here.
settings.register_profile("mmspec", deadline=None)
settings.load_profile("mmspec")
