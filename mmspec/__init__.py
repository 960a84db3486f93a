"""Multi-modal learning experiments as TOML specs.

import mmspec

experiment = mmspec.load("specs/colored_digits.toml", set=["train.epochs=2"])
print(experiment.runs[0].draw())
experiment.run()
mmspec.load_runs("colored_digits")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmspec.experiment import Experiment, Run, load
    from mmspec.reports import load_report
    from mmspec.runs import load_runs

__all__ = ["Experiment", "Run", "load", "load_report", "load_runs"]

#: Where the names stand that are not of `mmspec.experiment`.
_ELSEWHERE = {"load_runs": "mmspec.runs", "load_report": "mmspec.reports"}


def __getattr__(name: str) -> Any:
    """The names of the Python face, imported on first use: the command line does without."""
    if name in __all__:
        return getattr(import_module(_ELSEWHERE.get(name, "mmspec.experiment")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
