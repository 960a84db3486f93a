"""Where the runs of a report come from, and which record of a run counts."""

from __future__ import annotations

import json
import math
import shutil

import attrs
import pytest
from fake_runs import SMALL, plain, write_run

from mmspec.errors import Location, Problem, RecordError, ReportError
from mmspec.plugins.api import RunSource
from mmspec.plugins.recorded import RecordedRun
from mmspec.records import find_runs
from mmspec.report import render_report
from mmspec.report.runs.sources import is_name, read_sources


@attrs.frozen(eq=False, slots=False)
class Elsewhere(RecordedRun):
    """A run recorded somewhere else."""

    place: str
    said: dict

    @property
    def address(self):
        return self.place

    @property
    def provenance(self):
        return self.said

    def rows(self, kind=None, names=None, stage=None):
        yield from ()


def elsewhere(run, place, **changed):
    facts = {"status": run.status, "spec": run.spec, "identity": run.identity, "result": run.result}
    return Elsewhere(**{**facts, **changed}, place=f"https://{place}/{run.id}", said=dict(run.provenance))


def source(runs=(), *, filters=(), local=False, error=None, said=()):
    """A source that gives these runs, and remembers what it was asked for."""
    asked = []
    names = filters

    @attrs.frozen(kw_only=True)
    class Given(RunSource):
        filters = names
        is_local = local

        def check_address(self, address):
            if "wrong" in address:
                raise RecordError(Problem("is wrong", hint="write it right"))

        def read(self, address, *, beside, cache, refresh, say):
            asked.append((address, beside, cache.name, refresh))
            for line in said:
                say(line)
            if error:
                raise error
            return runs

    Given.asked = asked
    return Given


@pytest.fixture
def read(runs, tmp_path, registry):
    def read(*entries, refresh=False, **sources):
        mine = registry.with_plugins({("source", name): cls for name, cls in sources.items()})
        return read_sources(entries, runs, beside=tmp_path, registry=mine, refresh=refresh)

    return read


def ids(selection):
    return sorted(run.id for run in selection.runs)


def test_entries_are_names_folders_or_addresses():
    assert [is_name(e) for e in ("colored_digits", "*", "../lab", "./runs", "..", "wandb://a/b")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip


def test_folders_are_seen_from_the_report(runs, read, tmp_path):
    write_run(runs, {}, 0, {"x": 1.0})
    theirs = write_run(tmp_path / "lab", {}, 1, {"x": 1.0}, experiment="theirs")
    write_run(tmp_path / "lab", {}, 2, {"x": 1.0}, experiment="others")
    for entry, count in (
        ("./lab", 2),
        ("lab/theirs", 1),
        (f"lab/theirs/{theirs.name}", 1),
        (f"{tmp_path}/lab/", 2),
    ):
        assert len(read(entry).runs) == count
        assert len(read("colored_digits", entry).runs) == count + 1
    with pytest.raises(ReportError, match="there is no folder"):
        read("./nowhere")


def test_a_folder_that_is_named_twice_counts_once(runs, read, tmp_path):
    write_run(runs, {}, 0, {"x": 1.0})
    selection = read("*", "./runs", f"{runs}/colored_digits")

    assert len(selection.runs) == 1
    assert not selection.copies
    assert not selection.left_out


def test_a_source_is_asked_by_what_follows_its_scheme(read, tmp_path):
    given = source(filters=("group",))
    read("lab://a/b?group=x%20y&group=z", refresh=True, lab=given)

    assert given.asked == [("//a/b?group=x%20y&group=z", tmp_path, "lab", True)]


def test_other_filters_are_labels_and_keys(runs, read):
    for variant, lr in (("none", 0.1), ("guided", 0.1), ("guided", 0.25)):
        write_run(runs, {"variant": variant, "x/y": True}, 0, {"x": lr}, optimizer={"use": "sgd", "lr": lr})
    given = source([elsewhere(run, "lab") for run in find_runs(runs).runs], filters=("group",))

    def count(query):
        return len(read(f"lab://a?{query}", lab=given).all_runs)

    assert count("variant=guided") == 2
    assert count("variant=guided&variant=none") == 3
    assert count("optimizer.lr=0.250&variant=guided&group=g") == 1
    assert count("optimizer=sgd&seed=0&x%2Fy=true") == 3
    assert count("optimizer=adam") == 0
    assert count("experiment=colored_digits") == 3
    assert given.asked[-1][0] == "//a"
    for query, told in (
        ("varaint=guided", 'did you mean "variant"'),
        ("grup=x", 'did you mean "group"'),
        ("variant", "variant=…"),
        ("variant=", "has no value"),
    ):
        with pytest.raises(ReportError, match=told):
            count(query)


def test_the_furthest_record_counts_then_the_nearest(runs, read):
    for seed in (0, 1, 2):
        write_run(runs, {}, seed, {"x": 1.0}, status="finished" if seed else "unfinished")
    here = find_runs(runs).runs
    service = source(
        [elsewhere(run, "service", status="finished", result={"values": {"x": 1.0}}) for run in here]
    )
    near = source([elsewhere(run, "near", result=run.result) for run in here if run.seed != 1], local=True)
    selection = read("*", "service://a", "near://b", service=service, near=near)

    assert [run.address.partition("/")[0] for run in selection.runs] == ["https:", "", ""]
    assert selection.runs[0].address.startswith("https://service/")
    assert {c.run.seed: (c.place, c.elsewhere) for c in selection.copies} == {
        0: ("service://a", ("run directories", "near://b")),
        1: ("run directories", ("service://a",)),
        2: ("run directories", ("near://b", "service://a")),
    }
    assert not any(c.differs for c in selection.copies)
    without = read("service://a", "near://b", service=service, near=near)
    assert [run.address.partition("/")[2].split("/")[1] for run in without.runs] == [
        "service",
        "service",
        "near",
    ]
    assert not selection.left_out


def test_the_order_of_entries_never_matters_for_what_counts(runs, read):
    write_run(runs, {}, 0, {"x": 1.0})
    service = source([elsewhere(run, "service") for run in find_runs(runs).runs])
    one, other = read("*", "service://a", service=service), read("service://a", "*", service=service)

    assert [run.address for run in one.runs] == [run.address for run in other.runs]
    assert one.copies[0].place == other.copies[0].place == "run directories"


def test_copies_within_one_place_are_left_out_as_before(runs, read, tmp_path):
    folder = write_run(runs, {}, 0, {"x": 1.0})
    shutil.copytree(folder, folder.with_name("copy"))
    selection = read("*", "none://a", none=source())

    assert [left.reason for left in selection.left_out] == ["duplicate"]


def test_records_that_say_other_numbers_are_told(runs, read):
    write_run(runs, {}, 0, {"x": 1.0, "y": math.nan})
    (run,) = find_runs(runs).runs
    same = source([elsewhere(run, "same")])
    other = source([elsewhere(run, "other", result={**run.result, "values": {"x": 1.5, "y": math.nan}})])

    assert not read("*", "same://a", same=same).copies[0].differs
    assert read("*", "other://a", other=other).copies[0].differs


def test_the_report_says_what_is_recorded_twice_and_what_sources_said(runs, registry, tmp_path):
    for seed in (0, 1):
        write_run(runs, {"variant": "none"}, seed, {"test/accuracy": 0.5})
    first, second = find_runs(runs).runs
    changed = elsewhere(second, "lab", result={**second.result, "values": {"test/accuracy": 0.75}})
    given = source([elsewhere(first, "lab"), changed], said=["lab://a: passed over 3 runs"])
    path = tmp_path / "report.toml"
    path.write_text(SMALL.replace('["colored_digits"]', '["colored_digits", "lab://a?variant=none"]'))
    mine = registry.with_plugins({("source", "lab"): given})
    report = render_report(
        path, runs_root=runs, out=tmp_path / "out", formats=("json", "html"), registry=mine
    )
    notes = plain(report.document.notes)

    assert "2 runs are recorded in several places, and counted as in run directories, not lab://a." in notes
    assert f"Records of one run say different numbers: {second.id}." in notes
    assert "lab://a: passed over 3 runs." in notes
    (cell,) = json.loads((tmp_path / "out" / "report.json").read_text())["tables"][0]["rows"][0]["cells"][:1]
    assert cell


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("lab://wrong", "is wrong"),
        ("labb://a", 'there is no source "labb"'),
        ("broken://a", "does not answer"),
        ("./nowhere", "there is no folder"),
        ("lab://a?variant=", "the filter"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_place(runs, registry, tmp_path, entry, told):
    write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.5})
    path = tmp_path / "report.toml"
    path.write_text(SMALL.replace('["colored_digits"]', f'[\n  "colored_digits",\n  "{entry}",\n]'))
    broken = RecordError(Problem("does not answer", Location("https://lab/x"), "try again"))
    sources = {("source", "lab"): source(), ("source", "broken"): source(error=broken)}
    with pytest.raises(ReportError) as error:
        render_report(path, runs_root=runs, out=tmp_path / "out", registry=registry.with_plugins(sources))
    (problem,) = error.value.problems

    assert told in problem.what
    assert problem.where is not None
    assert (problem.where.file, problem.where.line, problem.where.column) == (str(path), 6, 3)


def test_no_runs_behind_an_address_are_told_with_it(registry, runs, tmp_path):
    path = tmp_path / "report.toml"
    path.write_text(SMALL.replace('["colored_digits"]', '["lab://a"]'))
    mine = registry.with_plugins({("source", "lab"): source()})
    with pytest.raises(ReportError, match="there are no runs of lab://a") as error:
        render_report(path, runs_root=runs, out=tmp_path / "out", registry=mine)
    assert " under " not in str(error.value)


def test_commands_for_experiments_that_an_address_may_hold_are_allowed(registry, runs, tmp_path):
    write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.5})
    given = source([elsewhere(run, "lab") for run in find_runs(runs).runs])
    path = tmp_path / "report.toml"
    text = SMALL.replace('["colored_digits"]', '["lab://a"]').replace(
        "rows =", 'made_by = { colored_digits = "make it" }\nrows ='
    )
    path.write_text(text)
    mine = registry.with_plugins({("source", "lab"): given})

    assert render_report(path, runs_root=runs, out=tmp_path / "out", formats=("json",), registry=mine)
