"""Reading runs by the real client from a test double of W&B's server."""

from __future__ import annotations

import json
import time

import pytest
from fake_runs import rows_of, values_of, write_run
from recorded_elsewhere import facts, hold, record
from wandb_queries import READING
from wandb_server import Fault

from mmspec.errors import RecordError
from mmspec.records import find_runs
from mmspec.track.wandb import service as wandb_service
from mmspec.track.wandb.source import WandbRuns


@pytest.fixture
def service(server, monkeypatch):
    """The double with its reading side; attempts are few and short."""
    server.operations.update(READING)
    monkeypatch.setattr(wandb_service, "TIMEOUT", 2)
    monkeypatch.setattr(wandb_service, "PAUSE", 0.1)
    monkeypatch.setattr(wandb_service, "RETRIES", 1)
    return server


@pytest.fixture
def directories(tmp_path):
    for variant in ("none", "guided"):
        for seed in (0, 1):
            values, rows = values_of(variant, seed), rows_of(variant, seed)
            write_run(tmp_path / "runs", {"variant": variant}, seed, values, rows=rows)
    return find_runs(tmp_path / "runs").runs


@pytest.fixture
def read(tmp_path):
    """Read an address: the runs, and what was said."""

    def read(address="//lab/digits", *, refresh=False):
        said = []
        runs = WandbRuns().read(
            address, beside=tmp_path, cache=tmp_path / "cache", refresh=refresh, say=said.append
        )
        return runs, said

    return read


def hold_many(service, run, count, **bucket):
    """Put copies of a run with ids of their own into the double."""
    for index in range(count):
        held = hold(
            service, run, created=f"2026-01-01T{index // 3600:02}:{index // 60 % 60:02}:{index % 60:02}Z"
        )
        config = json.loads(held.bucket["config"])
        record = json.loads(config["mmspec_run"]["value"]["record"])
        record["identity"]["id"] = record["spec"]["name"] = f"run{index:04}"
        config["mmspec_run"]["value"]["record"] = json.dumps(record)
        held.bucket.update(config=json.dumps(config), **bucket)
        service.runs.pop(held.name)
        held.name = f"run{index:04}"
        service.runs[held.name] = held


def asked(service):
    """How often each operation was asked for since the last time."""
    found = {}
    for name in service.requests:
        if name.isidentifier():
            found[name] = found.get(name, 0) + 1
    service.requests.clear()
    return found


def test_runs_that_the_client_recorded_come_back(service, directories, read, tmp_path):
    for run in directories:
        record(run, tmp_path / "track", mode="online")
    asked(service)
    runs, said = read()

    assert asked(service) == {"Viewer": 1, "Runs": 1}
    assert not said
    for run, found in zip(directories, sorted(runs, key=lambda run: run.id), strict=True):
        assert (found.id, found.status, found.labels) == (run.id, "finished", run.labels)
        assert json.dumps(found.result) == json.dumps(run.result)
        assert (found.spec, found.identity, found.provenance) == (run.spec, run.identity, run.provenance)
        assert facts(found.rows()) == facts(run.rows())
        assert found.address == f"{service.url}/lab/digits/runs/{run.id}"
    assert asked(service) == {"RunFullHistory": 4}
    assert not service.unknown


def test_requests_go_with_pages_and_not_with_runs(service, directories, read):
    hold_many(service, directories[0], 450)
    began = time.monotonic()
    runs, _ = read()

    assert len(runs) == 450
    assert asked(service) == {"Viewer": 1, "Runs": 3}
    assert time.monotonic() - began < 10
    assert not service.unknown_fields


def test_what_has_ended_is_kept_and_said_and_asked_again_on_demand(service, directories, read):
    for run in directories:
        hold(service, run)
    first, said = read()
    assert not said
    service.runs[directories[0].id].summary["mmspec_result"] = "{}"  # no finished run does this
    asked(service)
    again, said = read()

    assert [run.values for run in again] == [run.values for run in first]
    assert "4 finished runs are from the cache, asked for since 20" in said[0]
    assert asked(service) == {"Viewer": 1, "Runs": 1}
    fresh, said = read(refresh=True)
    assert [run.status for run in fresh].count("finished") == 3
    assert not said


def test_runs_that_go_on_and_new_ones_are_asked_for(service, directories, read):
    going, *others = directories
    held = hold(service, going)
    held.state, summary, held.summary = "running", held.summary, {"status": "running"}
    hold(service, others[0])
    runs, _ = read()
    assert sorted(run.status for run in runs) == ["finished", "running"]

    held.state, held.summary = "finished", summary
    hold(service, others[1])
    asked(service)
    runs, said = read()
    assert [run.status for run in runs] == ["finished"] * 3
    assert asked(service) == {"Viewer": 1, "Runs": 2}, "the list, and a page of the two that are new"
    assert "1 finished run is" in said[0]


def test_a_run_without_its_result_is_asked_for_each_time(service, directories, read):
    late = hold(service, directories[0])
    hold(service, directories[1])
    summary, late.summary = late.summary, {"status": "running"}  # ended, but its summary is not there yet
    assert sorted(run.status for run in read()[0]) == ["finished", "unfinished"]

    late.summary = summary
    asked(service)
    assert [run.status for run in read()[0]] == ["finished", "finished"]
    assert asked(service) == {"Viewer": 1, "Runs": 2}


def test_a_run_that_was_deleted_there_is_gone_here(service, directories, read):
    for run in directories:
        hold(service, run)
    read()
    del service.runs[directories[0].id]

    assert len(read()[0]) == 3


def test_histories_are_complete_kept_and_asked_for_when_rows_are(service, directories, read):
    held = hold(service, directories[0])
    held.history = [{"_step": s, "train/loss": 1.0, "epoch": 1.0} for s in range(1, 2001)]
    held.history[500:500] = [{"_step": 500, "val/accuracy": 0.5, "epoch": 1.0}]
    held.history[1500]["train/loss"] = "NaN"
    ((run,), _) = read()
    asked(service)
    rows = list(run.rows())

    assert len(rows) == 2001, "not sampled, and rows that lack a column are there"
    assert asked(service) == {"RunFullHistory": 1}
    ((run,), _) = read()
    asked(service)
    assert len(list(run.rows("step", ["train/loss"]))) == 2000
    assert asked(service) == {}


def test_a_service_that_gives_only_samples_is_asked_for_pages(service, directories, read):
    held = hold(service, directories[0])
    held.history = [{"_step": s, "train/loss": 1.0, "epoch": 1.0} for s in range(1, 2001)]
    few = lambda server, variables: READING["RunFullHistory"](server, {**variables, "samples": 500})  # noqa: E731
    service.operations["RunFullHistory"] = few
    ((run,), _) = read()

    assert len(list(run.rows())) == 2000
    assert asked(service)["HistoryPage"] == 1


def test_runs_of_others_are_passed_over_and_counted(service, directories, read):
    hold(service, directories[0])
    other = hold(service, directories[1])
    other.bucket["config"] = json.dumps({"lr": {"value": 0.1}})
    runs, said = read()

    assert [run.id for run in runs] == [directories[0].id]
    assert said == ["wandb://lab/digits: 1 run is passed over, which mmspec did not record"]


def test_a_damaged_run_is_told_and_does_not_hide_the_others(service, directories, read):
    hold(service, directories[0])
    broken = hold(service, directories[1])
    broken.summary["mmspec_result"] = '{"values": {"test/accuracy": "high"}}'
    runs, said = read()

    assert [run.id for run in runs] == [directories[0].id]
    assert f"{service.url}/lab/digits/runs/{broken.name}: is damaged" in said[0]


def test_pages_that_overlap_give_each_run_once(service, directories, read):
    hold_many(service, directories[0], 250)

    def overlapping(server, variables):
        cursor = variables.get("cursor")
        return READING["Runs"](server, {**variables, "cursor": str(int(cursor) - 5) if cursor else None})

    service.operations["Runs"] = overlapping
    runs, said = read()
    assert len({run.id for run in runs}) == len(runs) == 250
    assert not said


def test_runs_that_the_service_counts_and_does_not_list_are_said(service, directories, read):
    hold_many(service, directories[0], 3)

    def losing(server, variables):
        answer = READING["Runs"](server, variables)
        del answer["project"]["runs"]["edges"][1]
        return answer

    service.operations["Runs"] = losing
    runs, said = read()
    assert len(runs) == 2
    assert "W&B counts 3 runs and lists 2" in said[0]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 4),
        ("?group=colored_digits/guided", 2),
        ("?tags=a", 1),
        ("?tags=a&tags=b", 2),
        ("?state=finished&job_type=train", 4),
        ("?state=running&state=crashed", 0),
        ("?job_type=eval", 0),
        ("?created_after=2026-02-01", 2),
        ("?created_before=2026-02-01&group=colored_digits/none", 2),
        ('?filters={"config.seed.value":{"$gte":1}}', 2),
        ('?filters={"$or":[{"config.labels.value.variant":"none"},{"tags":"c"}]}', 3),
    ],
)
def test_filters_narrow_what_is_asked_for(service, directories, read, query, count):
    for index, run in enumerate(sorted(directories, key=lambda run: run.label, reverse=True)):
        hold(service, run, tags=["a", "b", "c", "d"][index], created=f"2026-0{1 + index // 2}-15T00:00:00Z")

    assert len(read(f"//lab/digits{query}")[0]) == count


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("kind", ["429", "500", "hang", "nonsense", "cut", "lost", "die", "errors"])
@pytest.mark.parametrize(
    ("on", "after"),
    [
        pytest.param("Viewer", 0, id="login", marks=pytest.mark.slow),
        pytest.param("Runs", 0, id="list", marks=pytest.mark.slow),
        pytest.param("Runs", 1, id="2nd page"),
    ],
)
def test_every_fault_is_an_error_within_seconds(service, directories, read, kind, on, after):
    hold_many(service, directories[0], 250)
    service.fault = Fault(kind, on=on, after=after)
    began = time.monotonic()
    with pytest.raises(RecordError) as error:
        read()

    assert time.monotonic() - began < 12
    assert "W&B" in str(error.value)
    assert "lab/digits" in str(error.value)
    service.fault = None


def test_a_moment_of_weakness_is_waited_for(service, directories, read):
    hold(service, directories[0])
    refused = []

    def busy(server, variables):
        if len(refused) < 2:
            refused.append(1)
            server.fault = Fault("429", on="Runs")
        return READING["Runs"](server, variables)

    service.operations["Runs"] = busy
    service.fault = Fault("429", on="Runs")
    import threading

    threading.Timer(0.15, lambda: setattr(service, "fault", None)).start()
    assert len(read()[0]) == 1


def test_a_server_that_is_not_there_is_told_at_once(service, directories, read):
    service.stop()
    began = time.monotonic()
    with pytest.raises(RecordError, match="no connection to http://127"):
        read()
    assert time.monotonic() - began < 3


def test_what_is_in_the_cache_is_used_when_the_service_is_away_and_said(service, directories, read):
    for run in directories:
        hold(service, run)
    runs, _ = read()
    list(runs[0].rows())
    for fault in ("500", "die"):
        service.fault = Fault(fault, on="Runs")
        again, said = read()
        assert [run.values for run in again] == [run.values for run in runs]
        assert "they were on 20" in said[0]
        assert "from the cache" in said[0]
    assert list(again[0].rows()) == list(runs[0].rows())
    with pytest.raises(RecordError, match="is not in the cache"):
        list(again[1].rows())
    with pytest.raises(RecordError, match="no connection"):
        read(refresh=True)
    with pytest.raises(RecordError, match="no connection"):
        read("//lab/digits?group=other")


def test_a_project_that_is_not_there_is_told(service, read):
    with pytest.raises(RecordError, match="W&B knows no wandb://lab/digits"):
        read()


def test_without_a_key_nobody_is_asked_for_one(service, read, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(RecordError, match=r"no API key for .*\n.*wandb login"):
        read()


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"version": 1}', '{"version": 0, "runs": {}}', "null", "\x00"]
)
def test_a_damaged_cache_is_made_again(service, directories, read, tmp_path, damage):
    hold(service, directories[0])
    ((run,), _) = read()
    rows = list(run.rows())
    files = list((tmp_path / "cache").glob("*/*.json"))
    assert len(files) == 2
    for file in files:
        file.write_text(damage)
    ((run,), said) = read()

    assert list(run.rows()) == rows
    assert not said
    for file in files:
        assert json.loads(file.read_text())["version"] == 1


def test_a_cache_that_cannot_be_written_costs_time_alone(service, directories, read, tmp_path):
    (tmp_path / "cache").write_text("a file stands in its place")
    hold(service, directories[0])

    assert len(read()[0]) == 1


def test_nothing_is_left_behind(service, directories, read, tmp_path, user):
    import os

    before = dict(os.environ)
    hold(service, directories[0])
    read()
    os.environ.pop("WANDB_SERVICE", None)

    assert dict(os.environ) == {k: v for k, v in before.items() if k != "WANDB_SERVICE"}
    assert not list(user.rglob("*"))
    assert not list(tmp_path.glob("mmspec-wandb-*"))
    assert not (tmp_path / "wandb").exists()
