"""Reports over runs that exist in memory alone: quick to make, with any name and number."""

from __future__ import annotations

import io
import json
from pathlib import Path

import attrs
from fake_runs import hash_of, plain
from rich.console import Console

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.formats.terminal import Terminal
from mmspec.report.reading import read_definition
from mmspec.report.render import build_document
from mmspec.report.runs.selection import select
from mmspec.report.runs.stale import Comparison


@attrs.frozen(eq=False, slots=False)
class MemoryRun(RecordedRun):
    """A finished run without a place."""

    @property
    def address(self):
        return f"/runs/{self.experiment}/{self.id}"

    @property
    def provenance(self):
        return {"created": "2026-01-01T00:00:00+00:00"}

    def rows(self, kind=None, names=None, stage=None):
        return iter(())


def run(variant, seed, values, *, experiment="colored_digits", data="d1", **stage):
    """A finished run; `values` are final metrics."""
    stages = [{"name": "train", "dataset": {"use": experiment}, "split": None, "balancing": variant, **stage}]
    spec = {"name": experiment, "seed": seed, "labels": {"variant": variant}, "stages": stages}
    number = f"{hash_of([variant, seed, experiment, stage]):08x}"
    identity = {"id": f"r-s{seed}-{number}", "spec_hash": number * 8, "data": {"train": data}, "smoke": False}
    return MemoryRun("finished", spec, identity, {"values": values, "stages": {}, "seconds": 1.0})


def runs(numbers, metric="test/accuracy", **kwargs):
    """Runs by variant: a value for each seed."""
    return [
        run(variant, seed, {metric: value}, **kwargs)
        for variant, values in numbers.items()
        for seed, value in enumerate(values)
    ]


def document(text, found, folder, registry):
    """The report that `text` asks for, of these runs."""
    path = Path(folder) / "report.toml"
    path.write_text(text, encoding="utf-8")
    return build_document(
        read_definition(path, registry), select(found), Path("/out"), Comparison(), draw=False
    )


def printed(made, width=100):
    """What a terminal of this width shows."""
    console = Console(file=io.StringIO(), width=width)
    console.print(Terminal(made))
    return console.file.getvalue()


HEAD = """
mmspec = 1
title = "Tables"
runs = ["*"]
rows = { by = "variant" }
[[tables]]
title = "Accuracy"
"""
COLUMN = """
[[tables.columns]]
label = "test"
value = "test/accuracy"
unit = "percent"
better = "max"
"""

NUMBERS = {"none": (0.50, 0.51, 0.54), "good": (0.60, 0.62, 0.65), "same": (0.50, 0.51, 0.54)}


def column(label, group=None, **more):
    keys = {"label": label, "value": "test/accuracy", **({"group": group} if group else {}), **more}
    return "[[tables.columns]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items())


def grid_of(made):
    return made.tables[0].grid


def texts(made, column=0):
    """What a column shows, by row."""
    return {
        row.label: f"{row.cells[column].text} {row.cells[column].spread}".strip()
        for row in grid_of(made).rows
    }


def notes(made):
    return plain(made.tables[0].notes)
