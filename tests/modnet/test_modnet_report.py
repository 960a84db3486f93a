"""The shipped report of ModNet: what was published stands beside ours, and says what it measured."""

from __future__ import annotations

import pytest
from fake_runs import REPORTS, plain, write_run

from mmspec.plugins.registry import default_registry
from mmspec.report import render_report
from mmspec.report.runs.stale import Comparison
from mmspec.report.tables.table import PublishedCell

METRICS = ("accuracy", "sensitivity", "specificity")
FORGOTTEN = {"conventional": 0.2, "lr_scaled": 0.1, "frozen": 0.0}


def write(root, experiment, variant, seed, forgotten):
    values = {}
    for name in METRICS:
        values |= {f"animals/test/{name}": 0.97, f"animals_after/test/{name}": 0.97 - forgotten}
        values |= {
            f"forgetting/{name}": forgotten,
            f"grown/test/{name}": 0.9,
            f"test/{name}": 0.97 - forgotten,
        }
    rows = [
        {"kind": "epoch", "stage": "grown", "step": 10 * epoch, "epoch": epoch, "values": each}
        for epoch in (1, 2, 3)
        for each in [{f"{s}/{n}": 0.5 + epoch / 10 for s in ("train", "val") for n in ("loss", *METRICS)}]
    ]
    data, by = {"use": "class_hierarchy"}, {"use": variant}
    write_run(
        root, {"variant": variant}, seed, values, experiment=experiment, rows=rows, dataset=data, balancing=by
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for experiment in ("modnet", "modnet_felines", "modnet_compat"):
        for variant, forgotten in FORGOTTEN.items():
            for seed in (0, 1, 2):
                write(root, experiment, variant, seed, forgotten + (0 if variant == "frozen" else seed / 100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmspec.report.render.compare", lambda *_: Comparison())
        yield render_report(
            REPORTS / "modnet.toml",
            runs_root=root,
            out=tmp_path_factory.mktemp("out"),
            formats=("json", "svg"),
            registry=default_registry(),
        )


def lines(report, table):
    return dict(report.document.tables[table].table.lines())


def published(report, table):
    return {
        label: [cell.text for cell in cells if isinstance(cell, PublishedCell)]
        for label, cells in lines(report, table).items()
    }


def test_published_figures_stand_in_their_rows(report):
    assert published(report, 0) == {"before task 2": ["0.974", "0.97", "0.98"]}
    assert published(report, 1) == {
        "conventional": ["0.81", "0.65", "0.96"],
        "scaled rates": ["0.75", "0.57", "0.94"],
        "frozen": ["0.90", "0.81", "0.99"],
    }
    assert published(report, 3) == {
        "conventional": ["0.870", "0.867", "0.874"],
        "scaled rates": ["0.869", "0.884", "0.853"],
        "frozen": ["–", "–", "–"],
    }


def test_they_say_that_they_are_of_images_trained_on(report):
    for table in (0, 1):
        assert "task 1 on all its images, most of them trained on" in plain(
            report.document.tables[table].notes
        )


def test_nothing_forgotten_is_nought_and_is_the_best(report):
    assert [column.value for column in report.document.tables[2].table.columns[:3]] == [
        f"forgetting/{name}" for name in METRICS
    ]
    for cells in (lines(report, 2)["frozen"], lines(report, 2)["conventional"]):
        assert len(cells) == 9
    assert {cell.summary.mean for cell in lines(report, 2)["frozen"]} == {0.0}


def test_every_figure_has_its_data(report):
    figures = report.document.pictures
    assert [figure.name for figure in figures] == ["training", "validation", "forgetting"]
    assert all("no " not in plain(figure.notes).lower() for figure in figures), [f.notes for f in figures]
