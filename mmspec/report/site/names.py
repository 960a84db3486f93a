"""What the pages of runs are called: a safe file name for each, readable where that is possible."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

import attrs

from mmspec.plugins.recorded import RecordedRun

_LONGEST = 80


@attrs.frozen
class Names:
    """The name of each run's page, without folder and ending, by the run's address."""

    by_address: Mapping[str, str]

    def of(self, run: RecordedRun) -> str:
        """The name of a run's page."""
        return self.by_address[run.address]

    def page(self, run: RecordedRun) -> str:
        """The run's page as seen from the site's folder."""
        return f"runs/{self.of(run)}.html"


def name_runs(runs: Iterable[RecordedRun]) -> Names:
    """Name the pages: by the id, unless that is no file name, or another run's in whatever case."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for run in runs:
        if run.address in names:
            continue
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", run.id)[:_LONGEST].strip(".-")
        if name != run.id or name.lower() in taken:
            digest = hashlib.sha256(f"{run.experiment}\n{run.id}\n{run.address}".encode(errors="replace"))
            name = f"{name or 'run'}-{digest.hexdigest()[:10]}"
        taken.add(name.lower())
        names[run.address] = name
    return Names(names)
