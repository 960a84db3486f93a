"""How much of an earlier task a network has forgotten: what it measured first less what it measures last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmspec.plugins.api import DataError, StageOutput

#: What decides which samples a split has; without `[split]` the second is not there.
_DATA = ("dataset", "split")


def forgetting(
    first: StageOutput, last: StageOutput, *, split: str, metrics: Sequence[str]
) -> dict[str, float]:
    """For each metric the value of `first` on a split less that of `last`; above zero: forgotten.

    As Chaudhry et al. 2018 have it for two moments, for any metric of which more is better.

    Raises:
        DataError: a stage has not measured one, or the two did so on other data.
    """
    if differing := _differing(first, last):
        what = f"stages {first.stage} and {last.stage} measured other data: {', '.join(differing)}"
        raise DataError(what, hint="give both the same dataset and [split]")
    return {name: _measured(first, split, name) - _measured(last, split, name) for name in metrics}


def _measured(output: StageOutput, split: str, metric: str) -> float:
    name = f"{split}/{metric}"
    if name not in output.values:
        known = ", ".join(sorted(output.values)) or "nothing at all"
        raise DataError(
            f"stage {output.stage} has not measured {name}",
            hint=f"it has measured {known}; evaluate.metrics and evaluate.splits say what is measured",
        )
    return output.values[name]


def _differing(first: StageOutput, last: StageOutput) -> list[str]:
    """The keys by which the data of two stages differ, as far as their specs are known."""
    if not (first.spec and last.spec):
        return []
    one, other = ({key: output.spec.get(key) for key in _DATA} for output in (first, last))
    return [name for key in _DATA for name in _differences(key, one[key], other[key])]


def _differences(name: str, one: object, other: object) -> list[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = dict.fromkeys((*one, *other))
        return [each for key in keys for each in _differences(f"{name}.{key}", one.get(key), other.get(key))]
    return [] if one == other else [name]
