"""Sources that have runs pass the conformance kit, and the kit tells sources that break a promise."""

from __future__ import annotations

import attrs
import pytest
from fake_runs import rows_of, values_of, write_run
from recorded_elsewhere import hold, record
from wandb_queries import READING

from mmspec.errors import RecordError
from mmspec.plugins.api import RunSource
from mmspec.records import find_runs
from mmspec.testing import ConformanceError, check_source
from mmspec.track.wandb.files import WandbFiles
from mmspec.track.wandb.source import WandbRuns


@pytest.fixture
def runs(tmp_path):
    for seed in (0, 1):
        values, rows = values_of("guided", seed), rows_of("guided", seed)
        write_run(tmp_path / "runs", {"variant": "guided"}, seed, values, rows=rows)
    return find_runs(tmp_path / "runs").runs


def test_files_conform(user, runs, tmp_path):
    record(runs[0], tmp_path / "track", mode="offline")
    check_source(WandbFiles(), tmp_path, "//track")


def test_the_service_conforms(server, runs, tmp_path):
    server.operations.update(READING)
    for run in runs:
        hold(server, run)
    check_source(WandbRuns(), tmp_path, "//lab/digits")


def broken(**how):
    """A source that keeps its promises, but for what `how` says."""

    @attrs.frozen(kw_only=True)
    class Source(RunSource):
        """Runs that are given."""

        filters = how.get("filters", ())

        def check_address(self, address):
            if not address and not how.get("takes_all"):
                raise RecordError("names nothing")

        def read(self, address, *, beside, cache, refresh, say):
            if how.get("raises"):
                raise how["raises"]
            self.check_address(address)
            given = how.get("runs", ())
            if how.get("forgets") and cache.exists():
                return []
            cache.mkdir(exist_ok=True)
            return given

    return Source()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"takes_all": True}, "an empty address must be refused by a RecordError"),
        ({"raises": KeyError("x")}, "reading an empty address raises KeyError, and no RecordError"),
        ({"filters": "group"}, "filters must be names"),
        ({}, "read() gives no runs"),
        ({"forgets": True}, "read() gives other runs, or other numbers, when it has a cache"),
        ({"twice": True}, "each run must have an address of its own"),
    ],
)
def test_broken_promises_are_told(runs, tmp_path, how, told):
    if how.get("forgets") or how.get("twice"):
        how = {**how, "runs": [runs[0], runs[0]] if how.get("twice") else runs}
    with pytest.raises(ConformanceError) as error:
        check_source(broken(**how), tmp_path, "//a")
    assert told in str(error.value)


def test_a_source_that_keeps_its_promises_passes(runs, tmp_path):
    check_source(broken(runs=runs), tmp_path, "//a")
