"""Which of a run's many metrics is shown where there is room for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmspec.plugins.recorded import kind_of_stage, main_stage_of


def main_metric(spec: Mapping[str, Any], names: Iterable[str]) -> str:
    """What the run is for: the first value of its last analysis, if one follows what trains or measures.

    Else it is the metric that selects the model, else an accuracy that is not of training, else the training
    loss. `spec` is a run's resolved spec, `names` are the metrics that there are.
    """
    names = list(names)
    main = main_stage_of(spec["stages"])
    for stage in reversed(spec["stages"]):
        if stage is main and kind_of_stage(main) in ("trains", "measures"):
            break
        found = [name for name in names if name.startswith(f"{stage['name']}/")]
        if found and kind_of_stage(stage) == "analyses":
            return found[0]
    select = main.get("select")
    if select:
        return str(select["metric"])
    of_main = (name for name in names if name.count("/") == 1 and not name.startswith("train/"))
    return next((name for name in of_main if name.endswith("/accuracy")), "train/loss")
