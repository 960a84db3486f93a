"""Which of a run's many metrics is shown where there is room for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def main_metric(spec: Mapping[str, Any], names: Iterable[str]) -> str:
    """The metric that selects the model, else an accuracy that is not of training, else the training loss.

    `spec` is a run's resolved spec, `names` are the metrics that there are.
    """
    select = spec["stages"][-1].get("select")
    if select:
        return str(select["metric"])
    accuracies = [name for name in names if name.endswith("/accuracy") and not name.startswith("train/")]
    return accuracies[0] if accuracies else "train/loss"
