from __future__ import annotations

import math
import random
import re
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmspec.report.formats.svg import inline_svg
from mmspec.report.site.beside import home_of, log_of
from mmspec.report.site.chart import STRETCHES, Line, draw_chart, envelope, nice_step
from mmspec.report.site.compare import as_script
from mmspec.report.site.curves import Series, Thinned
from mmspec.report.site.origins import Origin, find_origins
from mmspec.report.site.spec import entries, toml

MAIN = """\
mmspec = 1
name = "digits"
extends = ["../a/_base.toml", "_train.toml"]
evaluate.metrics = ["accuracy", { use = "u", splits = ["test"] }]
[[variants]]
name = "none"
[[variants]]
name = "guided"
balancing = { use = "guided", alpha = 0.1 }
[sweep]
"optimizer.lr" = [0.1,
  0.2]
[[track]]
use = "wandb"
"""
BASE = 'dataset = "digits"\n[modalities.grey]\nbackbone = "cnn"\n[optimizer]\nuse = "sgd"\n'
TRAIN = "[train]\nepochs = 3\n"
SOURCES = (
    ("_base.toml", BASE),
    ("_train.toml", TRAIN),
    ("digits.toml", MAIN),
    ("overrides.txt", "train.epochs=5\n"),
)


def line(values, lost=0):
    return Line("train", 0, array("d", range(len(values))), array("d", values), lost)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=3000))
def test_no_peak_of_a_long_line_is_lost(values):
    drawn = [values[index] for index in envelope(line(values))]
    assert (min(drawn), max(drawn)) == (min(values), max(values))
    assert len(drawn) <= max(2 * STRETCHES, 0) or len(drawn) == len(values) <= 2 * STRETCHES
    indices = list(envelope(line(values)))
    assert indices == sorted(set(indices))
    assert (drawn == values) == (len(values) <= 2 * STRETCHES)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=9))
def test_charts_of_any_numbers_stay_in_their_frame(values):
    text = draw_chart("c", "t", [line(values)])
    assert "nan" not in text.lower()
    drawn = re.search(r'class="line l0" d="M([^"]*)"', text)
    for point in drawn[1].split("L"):
        x, y = map(float, point.split())
        assert 45 <= x <= 333
        assert 7 <= y <= 151


def test_a_cut_line_and_lost_values_are_said():
    draw = random.Random(0)
    text = draw_chart("c", "t", [line([draw.random() for _ in range(5000)], lost=3)])
    assert "Of 5,000 points, the smallest and the largest of each of 160 stretches." in text
    assert "3 values are no finite numbers" in text


@given(st.floats(1e-12, 1e12))
def test_steps_of_axes_are_round(about):
    step = nice_step(about)
    assert about * (1 - 1e-6) <= step <= about * 5.1
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 5)


def test_values_that_are_not_finite_are_counted():
    series = Series()
    for step, value in enumerate((1.0, math.nan, math.inf, 2.0)):
        series.add(step, value)
    assert (list(series.xs), list(series.ys), series.lost) == ([0.0, 3.0], [1.0, 2.0], 2)


@pytest.mark.parametrize("count", [1, 2, 80, 81, 1000])
def test_thinned_rows_are_few_and_end_with_the_last(count):
    thinned = Thinned()
    for row in range(count):
        thinned.add(row)
    rows = thinned.rows()
    assert rows[0] == 0
    assert rows[-1] == count - 1
    assert len(rows) <= 81
    assert rows == sorted(set(rows))


def test_origins_are_the_lines_that_win():
    origins = find_origins(SOURCES, {"variant": "guided", "optimizer.lr": 0.2})

    def of(*path):
        return origins.of("train", path)

    assert of("dataset", "use") == Origin("_base.toml", 1)
    assert of("modalities", "grey", "backbone", "use") == Origin("_base.toml", 3)
    assert of("modalities", "grey", "backbone", "channels") is None
    assert of("balancing", "alpha") == Origin("digits.toml", 9)
    assert of("optimizer", "lr") == Origin("digits.toml", 12)
    assert of("train", "epochs") == Origin("--set", 1)
    assert of("train", "batch_size") is None
    assert of("evaluate", "metrics", 0, "use") == Origin("digits.toml", 4)
    assert of("evaluate", "metrics", 1, "splits") == Origin("digits.toml", 4)
    assert of("evaluate", "metrics", 2, "use") is None
    assert origins.beside(("track", 0, "use")) == Origin("digits.toml", 14)
    assert origins.beside(("launch", "use")) is None
    assert find_origins(SOURCES, {"variant": "none", "optimizer.lr": 0.1}).of("train", ("balancing",)) is None


@pytest.mark.parametrize(
    "sources",
    [
        (),
        (("a.toml", "= nonsense"),),
        (("a.toml", 'mmspec = 1\nname = "x"\nextends = "gone.toml"\n'),),
        (("a.toml", 'extends = "b.toml"\n'), ("b.toml", 'extends = "a.toml"\n')),
        (("a.toml", 'mmspec = 1\nname = "x"\n'), ("b.toml", 'mmspec = 1\nname = "y"\n')),
        (("a.toml", 'mmspec = 99\nname = "x"\n'),),
    ],
)
def test_sources_that_cannot_be_read_again_have_no_origins(sources):
    assert find_origins(sources, {}) is None


def test_entries_are_grouped_as_a_spec_writes_them():
    stage = {"split": None, "modalities": {"grey": {"backbone": {"use": "cnn", "at": [1, 2]}}}, "lr": {}}
    found = [(entry.table, entry.key, entry.value) for entry in entries(stage)]
    assert found == [
        ("", "split", "none"),
        ("modalities.grey", "backbone.use", '"cnn"'),
        ("modalities.grey", "backbone.at", "[1, 2]"),
        ("", "lr", "{}"),
    ]
    assert toml({"a b": True, "c": [None, 0.5]}) == '{ "a b" = true, c = [none, 0.5] }'


@given(st.recursive(st.text() | st.floats(-1e99, 1e99) | st.none(), st.lists, max_leaves=5))
def test_scripts_are_harmless_wherever_they_stand(value):
    text = as_script(value)
    assert text.isascii()
    assert not set("<>&\u2028") & set(text)


def test_long_logs_are_cut_in_the_middle(tmp_path, runs):
    from fake_runs import write_run

    from mmspec.records import load_run

    folder = write_run(runs, {}, 0, {})
    (folder / "log.txt").write_text("".join(f"{n}\n" for n in range(1000)) + "x" * 5000)
    lines, left_out = log_of(load_run(folder))
    assert lines[:2] == ["0", "1"]
    assert lines[100] == f"… {left_out} lines are left out here …"
    assert len(lines) == 301
    assert max(map(len, lines)) <= 2000


def test_runs_are_linked_only_within_one_project(runs, tmp_path, monkeypatch):
    from fake_runs import write_run

    from mmspec.records import load_run

    run = load_run(write_run(runs, {}, 0, {}))
    assert home_of(run, tmp_path / "site") == f"../../runs/colored_digits/{run.id}/"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_of(run, tmp_path / "site") is None


@pytest.mark.parametrize("text", ["", "<svg", "<p/>", '<!DOCTYPE x [<!ENTITY a "b">]><svg>&a;</svg>'])
def test_what_is_no_drawing_is_not_shown(text):
    assert inline_svg(text, "label", "p") == ""


def test_drawings_keep_shapes_and_lose_the_rest():
    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="5">'
        '<defs><clipPath id="k"><rect width="1"/></clipPath></defs><foreignObject><p/></foreignObject>'
        '<g clip-path="url(#k)" style="fill: #1f1f1f; background: url(http://x)" onclick="x()">'
        '<use xlink:href="#k"/><image xlink:href="http://x/y.png"/><set attributeName="href"/></g></svg>'
    )
    assert inline_svg(text, "a <b>", "p") == (
        '<svg role="img" aria-label="a &lt;b&gt;" stroke-linejoin="round" width="5">'
        '<defs><clipPath id="p-k"><rect width="1"/></clipPath></defs>'
        '<g clip-path="url(#p-k)" fill="currentColor"><use href="#p-k"/><image/></g></svg>'
    )
