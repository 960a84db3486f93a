"""Multi-modal learning experiments as TOML specs.

import mmspec

experiment = mmspec.load("specs/colored_digits.toml", set=["train.epochs=2"])
print(experiment.runs[0].draw())
experiment.run()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmspec.experiment import Experiment, Run, load

__all__ = ["Experiment", "Run", "load"]


def __getattr__(name: str) -> Any:
    """The names of `mmspec.experiment`, imported on first use: the command line does without."""
    if name in __all__:
        from mmspec import experiment

        return getattr(experiment, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
