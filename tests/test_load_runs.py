"""mmspec.load_runs and mmspec.load_report: the same runs and numbers as reports have, in Python."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas
import polars
import pytest
from fake_runs import DEMO, FUSED, write_demo, write_run
from hypothesis import given
from hypothesis import strategies as some

import mmspec
from mmspec.errors import ReportError
from mmspec.report import render_report
from mmspec.rows import Rows

A, B = {"variant": "a"}, {"variant": "b"}
NASTY = '<script>alert("x")</script> & \u202ereversed\x1b[31m\n| new, "line"'


@pytest.fixture
def demo(tmp_path):
    write_demo(tmp_path / "runs")
    return tmp_path / "runs"


def same(first, second):
    """Equal, but that NaN equals NaN, and nothing at all too."""
    return [[None if v is None or v != v else v for v in row.values()] for row in first] == [
        [None if v is None or v != v else v for v in row.values()] for row in second
    ]


# ---------------------------------------------------------------- what is in a row


def test_a_row_for_each_run_with_labels_and_metrics(demo):
    rows = mmspec.load_runs("colored_digits", runs=demo)
    assert len(rows) == 18
    assert isinstance(rows, list)
    assert {type(row) for row in rows} == {dict}
    assert len({tuple(row) for row in rows}) == 1
    assert list(rows[0])[:6] == ["experiment", "run", "seed", "status", "variant", "test/accuracy"]
    assert [run.id for run in rows.runs] == [row["run"] for row in rows]
    grey = next(row for row in rows if row["variant"] == "uni-modal grey")
    assert grey["test/d_util"] is None
    assert (grey["seconds"], grey["status"]) == (20.0, "finished")
    assert Path(grey["address"], "spec.json").is_file()


def test_numbers_are_those_of_the_report(demo, tmp_path):
    made = render_report(DEMO, runs_root=demo, out=tmp_path / "out", formats=("json",))
    report = json.loads(made.files[0].read_text())
    by_run = {row["run"]: row for row in mmspec.load_runs("colored_digits", runs=demo)}
    found = 0
    for table in report["tables"]:
        for row in table["rows"]:
            for cell, column in zip(row["cells"], table["columns"], strict=True):
                for one in cell["values"]:
                    assert by_run[one["run"]][column["value"]] == one["value"]
                    found += 1
    assert found > 50


def test_where_takes_labels_and_keys_of_the_spec(demo):
    assert len(mmspec.load_runs(runs=demo, where={"variant": "guided"})) == 3
    assert len(mmspec.load_runs(runs=demo, where={"fusion": "mmtm", "seed": 1})) == len(FUSED)
    assert mmspec.load_runs(runs=demo, where={"variant": "no such"}) == []
    with pytest.raises(ReportError, match='no run has a label or a key "varaint"'):
        mmspec.load_runs(runs=demo, where={"varaint": "guided"})


def test_keys_of_the_spec_on_request(demo):
    [row] = mmspec.load_runs(
        runs=demo, where={"variant": "guided", "seed": 0}, spec=["train.epochs", "balancing"]
    )
    assert (row["train.epochs"], row["balancing"]) == (12, "guided")
    rows = mmspec.load_runs(runs=demo, spec=True)
    assert rows[0]["fusion.use"] == "mmtm"
    assert rows[-1]["fusion.use"] is None
    assert "fusion" not in rows[0]
    with pytest.raises(ReportError, match="no run has a label or a key"):
        mmspec.load_runs(runs=demo, spec=["train.epohcs"])


def test_all_keys_of_several_stages(tmp_path):
    folder = write_run(tmp_path, A, 0, {"x": 1.0}, channels=[1, 2])
    spec = json.loads((folder / "spec.json").read_text())
    spec["stages"] = [{"name": "before", "train": {"epochs": 5}}, *spec["stages"]]
    (folder / "spec.json").write_text(json.dumps(spec))
    [row] = mmspec.load_runs(runs=tmp_path, spec=True)
    assert (row["before.train.epochs"], row["train.epochs"], row["channels"]) == (5, 12, "[1, 2]")


def test_provenance_on_request(tmp_path):
    folder = write_run(tmp_path, A, 0, {"x": 1.0})
    known = json.loads((folder / "provenance.json").read_text())
    (folder / "provenance.json").write_text(json.dumps({**known, "git": None}))
    damaged = write_run(tmp_path, B, 0, {"x": 2.0})
    (damaged / "provenance.json").write_text("{")
    rows = mmspec.load_runs(runs=tmp_path, provenance=["created", "git.commit"])
    assert rows.columns["created"] == ["2026-01-01T00:00:00+00:00", None]
    assert rows.columns["git.commit"] == [None, None]
    assert [problem.where.file for problem in rows.problems] == [str(damaged / "provenance.json")]
    with pytest.raises(ReportError, match='did you mean "created"'):
        mmspec.load_runs(runs=tmp_path, provenance="craeted")


def test_one_name_needs_no_list(demo):
    where = {"variant": "guided", "seed": 0}
    [row] = mmspec.load_runs(
        runs=demo, where=where, spec="train.epochs", provenance="created", include="failed"
    )
    assert (row["train.epochs"], row["left_out"]) == (12, None)
    assert row["created"].startswith("2026")


# ---------------------------------------------------------------- what is left out


def test_what_a_report_leaves_out_is_left_out_and_said(tmp_path):
    write_run(tmp_path, A, 0, {"x": 1.0}, code="1")
    write_run(tmp_path, A, 0, {"x": 2.0}, code="2", created="2026-01-02T00:00:00+00:00")
    write_run(tmp_path, A, 1, {}, status="failed")
    write_run(tmp_path, A, 2, {"x": 1.0}, smoke=True)
    write_run(tmp_path, A, 3, {}, name="damaged").joinpath("result.json").write_text("{")
    rows = mmspec.load_runs(runs=tmp_path)
    assert rows.columns["x"] == [2.0]
    assert "left_out" not in rows[0]
    assert sorted(left.reason for left in rows.left_out) == ["failed", "smoke", "stale"]
    for said in ("1 run of colored_digits", "1 failed", "1 smoke", "1 stale", "cannot be read: 1"):
        assert said in repr(rows)
        assert said in rows._repr_html_()
    with_failed = mmspec.load_runs(runs=tmp_path, include=["failed"])
    assert [(row["status"], row["left_out"], row["x"]) for row in with_failed] == [
        ("finished", None, 2.0),
        ("failed", "failed", None),
    ]
    assert {left.reason for left in with_failed.left_out} == {"smoke", "stale"}
    assert len(mmspec.load_runs(runs=tmp_path, include="all")) == 4
    with pytest.raises(ReportError, match='did you mean "failed"'):
        mmspec.load_runs(runs=tmp_path, include=["faild"])


def test_no_runs_at_all_is_an_error_that_says_what_there_is(tmp_path):
    write_run(tmp_path, A, 0, {"x": 1.0})
    with pytest.raises(ReportError, match="there are runs of: colored_digits"):
        mmspec.load_runs("colored_digist", runs=tmp_path)
    with pytest.raises(ReportError, match="names the folder of experiments"):
        mmspec.load_runs(runs=tmp_path / "nowhere")


def test_folders_and_paths_are_sources(tmp_path, monkeypatch):
    write_run(tmp_path / "elsewhere", A, 0, {"x": 1.0})
    monkeypatch.chdir(tmp_path)
    folder = Path("elsewhere", "colored_digits")
    for source in (folder, str(folder), folder.absolute()):
        assert mmspec.load_runs(source).columns["x"] == [1.0]
    monkeypatch.chdir(folder.parent)
    assert mmspec.load_runs(Path("colored_digits")).columns["x"] == [1.0]


# ---------------------------------------------------------------- pandas and polars


@pytest.mark.parametrize("spec", [(), True])
def test_pandas_and_polars_take_the_rows_as_they_are(demo, spec):
    rows = mmspec.load_runs(runs=demo, spec=spec)
    frame = pandas.DataFrame(rows)
    assert list(frame.columns) == list(rows[0])
    assert frame["test/accuracy"].dtype == frame["test/d_util"].dtype == "float64"
    assert frame["seed"].dtype == "int64"
    assert same(frame.to_dict("records"), rows)
    for made in (polars.DataFrame(rows), polars.DataFrame(rows.columns)):
        assert made.schema["test/d_util"] == polars.Float64
        assert made.schema["seed"] == polars.Int64
        assert made.to_dicts() == list(rows)


def test_labels_of_different_experiments_become_one_type(tmp_path):
    for seed in range(120):
        write_run(tmp_path, {"rate": 1, "deep": "x"}, seed, {"x": 1.0}, experiment="one")
    write_run(tmp_path, {"rate": 0.5, "deep": True, "seed": 7, "late": "word"}, 0, {"y": 1}, experiment="two")
    rows = mmspec.load_runs(runs=tmp_path)
    assert set(rows.columns["rate"]) == {1.0, 0.5}
    assert {type(value) for value in rows.columns["rate"]} == {float}
    assert (rows[-1]["deep"], rows[-1]["seed"], rows[-1]["label.seed"]) == ("true", 0, 7)
    assert same(pandas.DataFrame(rows).to_dict("records"), rows)
    for made in (polars.DataFrame(rows, infer_schema_length=None), polars.DataFrame(rows.columns)):
        assert made.to_dicts() == list(rows)
        assert made.schema["late"] == polars.String


def test_no_rows_still_have_columns(demo):
    rows = mmspec.load_runs(runs=demo, where={"variant": "no such"})
    assert list(pandas.DataFrame(rows.columns).columns) == list(rows.columns)
    assert polars.DataFrame(rows.columns).shape == (0, len(rows.columns))
    assert repr(rows) == "0 runs"
    assert "<table" not in rows._repr_html_()
    assert rows.curves("train/loss") == []


SCALARS = (
    some.none() | some.booleans() | some.integers(-(2**40), 2**40) | some.floats() | some.text(max_size=9)
)


@given(some.lists(some.dictionaries(some.sampled_from("abc"), SCALARS), max_size=5))
def test_rows_are_even_whatever_is_in_them(content):
    rows = Rows(content, "abc")
    for key, column in rows.columns.items():
        types = {type(value) for value in column} - {type(None)}
        assert len(types) <= 1
        given_ = [row.get(key) for row in content]
        assert [value is None for value in column] == [value is None for value in given_]
        if len({type(value) for value in given_} - {type(None)}) == 1:
            assert [value for value in column if value == value] == [v for v in given_ if v == v]
    polars.DataFrame(rows.columns)
    pandas.DataFrame(rows)
    assert repr(rows)
    assert rows._repr_html_()


# ---------------------------------------------------------------- curves


def test_curves_are_long_rows(demo):
    rows = mmspec.load_runs(runs=demo, where={"variant": "guided"})
    curves = rows.curves("train/loss", "train/d_speed")
    assert len(curves) == 3 * 42 * 2
    assert list(curves[0]) == [
        "experiment", "run", "seed", "variant", "stage", "step", "epoch", "metric", "value"
    ]  # fmt: skip
    first = next(row for row in curves if row["metric"] == "train/loss")
    assert (first["step"], first["epoch"], first["value"]) == (10, 1, 0.2)
    frame = polars.DataFrame(curves)
    assert frame.schema["value"] == polars.Float64
    assert pandas.DataFrame(curves).groupby("run")["step"].max().tolist() == [420] * 3


def test_metrics_that_no_run_recorded_are_told(demo):
    rows = mmspec.load_runs(runs=demo, where={"variant": "guided"})
    with pytest.raises(ReportError, match='did you mean "train/loss"'):
        rows.curves("train/los")
    with pytest.raises(ReportError, match='it is recorded per step: per="step"'):
        rows.curves("train/loss", per="epoch")


# ---------------------------------------------------------------- how it looks


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.names, self.text, self.attributes = set(), "", {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= dict(attrs)

    def handle_data(self, data):
        self.text += data


def test_names_of_any_kind_are_shown_safely(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, {NASTY: f"{NASTY}{seed}"}, seed, {NASTY: math.nan}, name=f"s{seed}")
    rows = mmspec.load_runs(runs=tmp_path, include="all")
    shown = Tags(rows._repr_html_())
    assert shown.names <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert '<script>alert("x")</script>' in shown.text
    assert "\x1b" not in repr(rows) + shown.text
    assert "\u202e" not in repr(rows) + shown.text
    assert len(repr(rows).splitlines()) == 5


def test_only_so_much_is_shown():
    rows = Rows(({f"k{j}": i * j for j in range(60)} for i in range(100)), [f"k{j}" for j in range(60)])
    assert max(map(len, repr(rows).splitlines())) <= 110
    assert len(repr(rows).splitlines()) == 23
    assert "80 more rows" in repr(rows)
    assert rows._repr_html_().count("<tr>") == 21


def test_a_report_shows_itself(demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = mmspec.load_report(DEMO, runs=demo)
    assert repr(report) == "<Report Balancing strategies on coloured digits: 1 tables, 3 figures>"
    assert "grey alone" in str(report)
    assert [row.label for row in report.tables[0].rows][:2] == ["grey alone", "colour alone"]
    frame = Tags(report._repr_html_())
    assert frame.names == {"iframe"}
    assert frame.attributes["srcdoc"] == report.html()
    assert not (tmp_path / "output").exists()


def test_loading_runs_takes_no_torch(demo):
    script = (
        f"import sys, mmspec; mmspec.load_runs(runs={str(demo)!r})\n"
        "assert not {'torch', 'matplotlib', 'pandas', 'polars'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
