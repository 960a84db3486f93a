"""How the runs of a report belong together: seeds of one setting, settings of one seed, baselines."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.document import Document


@attrs.frozen
class Relatives:
    """`seeds`: the same setting with other seeds. `variants`: other settings with the same seed.

    `baseline` is the run of its row's baseline that it is best compared with: that of the same seed.
    """

    seeds: Sequence[RecordedRun]
    variants: Sequence[RecordedRun]
    baseline: RecordedRun | None


@attrs.frozen
class Family:
    """All runs of a report by what they share."""

    settings: Mapping[str, Sequence[RecordedRun]]
    seeds: Mapping[tuple[str, int], Sequence[RecordedRun]]
    baselines: Mapping[str, RecordedRun]

    def of(self, run: RecordedRun) -> Relatives:
        """A run's relatives, without itself."""
        key = _setting(run)
        return Relatives(
            [other for other in self.settings.get(key, ()) if other.address != run.address],
            [other for other in self.seeds.get((run.experiment, run.seed), ()) if _setting(other) != key],
            self.baselines.get(run.address),
        )


def relate(document: Document) -> Family:
    """Who belongs to whom; runs that are left out of the report are nobody's relatives."""
    settings: dict[str, list[RecordedRun]] = defaultdict(list)
    seeds: dict[tuple[str, int], list[RecordedRun]] = defaultdict(list)
    for run in document.selection.runs:
        settings[_setting(run)].append(run)
        seeds[run.experiment, run.seed].append(run)
    return Family(settings, seeds, _baselines(document))


def _setting(run: RecordedRun) -> str:
    return json.dumps([run.experiment, dict(run.labels)], sort_keys=True, default=str)


def _baselines(document: Document) -> dict[str, RecordedRun]:
    """For each run of a row that a table tests, the baseline's run of the same experiment and seed."""
    found: dict[str, RecordedRun] = {}
    for noted in document.tables:
        groups, name = noted.table.groups, noted.table.definition.baseline
        if name is None:
            continue
        counterparts = _by_seed(groups.get(name, ()))
        for label, runs in groups.items():
            for run in runs if label != name else ():
                if other := counterparts.get((run.experiment, run.seed)):
                    found.setdefault(run.address, other)
    return found


def _by_seed(runs: Iterable[RecordedRun]) -> dict[tuple[str, int], RecordedRun]:
    return {(run.experiment, run.seed): run for run in runs}
