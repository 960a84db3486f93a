"""From run directories to a table and to curves: how long it takes, and how much memory.

Runs have specs, identities, results and metrics of the size that real ones have. Each figure is measured in
a process of its own, after its imports.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import attrs

from benchmarks.paired import growth

SPECS = Path(__file__).parents[1] / "specs"
RUNS, SEEDS, LINES = 1000, 10, 200
#: Ten of the numbers that each run holds.
VALUES = [f"{split}/{name}" for split in ("test", "test_iid") for name in
          ("accuracy", "accuracy.grey", "accuracy.color", "loss", "d_util")]  # fmt: skip
ROUNDS = 5
MIB = 2**20


def reports() -> list[str]:
    """A table of 1000 runs × 10 metrics, their rows in Python, and the rows of a curve."""
    with tempfile.TemporaryDirectory() as folder:
        stores = {
            "small": Store(Path(folder) / "small", RUNS // 4),
            "plain": Store(Path(folder) / "plain", RUNS),
            "long": Store(Path(folder) / "long", RUNS, modalities=20, lines=2 * LINES),
        }
        for store in stores.values():
            store.write()
        return [
            *_seconds("table in the terminal and as JSON", "table", stores["plain"], limit=1.0),
            *_seconds("load_runs, all keys of the spec", "rows", stores["plain"]),
            *_seconds(f"curves of one metric, {LINES} rows a run", "curves", stores["plain"]),
            *_memory("table", stores),
        ]


@attrs.frozen
class Store:
    """A folder of run directories: settings × seeds, of which one setting in ten was run before."""

    root: Path
    runs: int
    modalities: int = 2
    lines: int = LINES

    def write(self) -> None:
        """Write the runs, and the definition of a report on them."""
        settings = list(self._settings())
        for number, (labels, stage, identity) in enumerate(settings):
            for seed in range(SEEDS):
                self._write_run(labels, stage, {**identity, "spec_hash": f"{number:032x}{seed:032x}"}, seed)
            if number % 10 == 0:
                old = {**stage, "optimizer": {"use": "sgd", "lr": 9.0}}
                self._write_run(labels, old, {**identity, "spec_hash": f"{number:063x}f"}, 0, day=1)
        self.definition.write_text(_definition([labels for labels, _, _ in settings]))

    @property
    def definition(self) -> Path:
        return self.root / "report.toml"

    def _settings(self) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
        """Labels, stage and identity of each setting: the variants of the demo, over learning rates."""
        from mmspec.graph.identity import identify
        from mmspec.plugins.resolve import resolve
        from mmspec.spec.load import read_document

        plans = resolve(read_document(SPECS / "colored_digits.toml", ["seeds=[0]"]))
        found = [(plan, identify(plan, {"train": "d" * 64}).to_json()) for plan in plans]
        wanted = self.runs // SEEDS
        for _, (rate, (plan, identity)) in zip(range(wanted), product(range(1, wanted), found), strict=False):
            stage, lr = plan.stages[0].resolved, rate / 100
            modality = next(iter(stage["modalities"].values()))
            more = {f"more {number}": modality for number in range(self.modalities - 2)}
            changed = {"modalities": {**stage["modalities"], **more}, "optimizer": {"use": "sgd", "lr": lr}}
            yield {**plan.labels, "optimizer.lr": lr}, {**stage, **changed}, identity

    def _write_run(
        self, labels: dict[str, Any], stage: dict[str, Any], identity: dict[str, Any], seed: int, day: int = 2
    ) -> None:
        run_id = f"{labels['variant'].replace(' ', '-')}-{labels['optimizer.lr']}-s{seed}-{day}"
        folder = self.root / "runs" / "many" / run_id
        folder.mkdir(parents=True)
        spec = {"mmspec": 1, "name": "many", "labels": labels, "stages": [stage], "track": [], "launch": {}}
        values = {**{f"val/other.{i}": seed / 7 + i for i in range(25)}, **_values(seed, labels)}
        result = {"status": "finished", "values": values, "seconds": 20.0, "identity": run_id}
        selected = {"epoch": 12, "metric": "val/accuracy", "value": 0.5, "values": values}
        result["stages"] = {"train": {"epochs": 12, "steps": 420, "selected": selected, "values": values}}
        provenance = {"created": f"2026-01-0{day}T00:00:00+00:00", "command": "mmspec run many.toml"}
        provenance["git"] = {"commit": "c" * 40, "dirty": True, "diff": "+ a line that was changed\n" * 400}
        for name, content in {
            "spec": {**spec, "seed": seed},
            "identity": {**identity, "id": run_id},
            "provenance": provenance,
            "result": result,
        }.items():
            (folder / f"{name}.json").write_text(json.dumps(content, indent=1))
        (folder / "metrics.jsonl").write_text("".join(self._rows(seed)))

    def _rows(self, seed: int) -> Iterator[str]:
        for step in range(1, self.lines + 1):
            values = {"train/loss": 2 / step, **{f"train/other.{i}": seed / 7 + i for i in range(8)}}
            row = {"kind": "step", "stage": "train", "step": step, "epoch": 1, "values": values}
            yield json.dumps(row) + "\n"
            if step % 30 == 0:
                values = {f"val/other.{i}": seed / 7 + i for i in range(16)}
                yield json.dumps({**row, "kind": "epoch", "values": values}) + "\n"


def _values(seed: int, labels: dict[str, Any]) -> dict[str, float]:
    return {name: 0.3 + seed / 70 + labels["optimizer.lr"] / 9 + i / 90 for i, name in enumerate(VALUES)}


def _definition(settings: list[dict[str, Any]]) -> str:
    """A report with a row for each setting, and ten columns."""
    lines = ["mmspec = 1", 'title = "Many"', 'runs = ["many"]']
    for labels in settings:
        where = f'{{ variant = "{labels["variant"]}", "optimizer.lr" = {labels["optimizer.lr"]} }}'
        label = f"{labels['variant']}, {labels['optimizer.lr']}"
        lines += ["[[rows]]", f'label = "{label}"', f"where = {where}"]
    lines += ["[[tables]]", 'title = "Many"']
    for value in VALUES:
        lines += ["[[tables.columns]]", f'label = "{value}"', f'value = "{value}"', 'better = "max"']
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- each in a process of its own


def table(root: Path) -> Callable[[], object]:
    """Run directories to a table, shown in the terminal and as JSON."""
    import io

    from rich.console import Console

    from mmspec.plugins.registry import default_registry
    from mmspec.report.formats.numbers import as_json
    from mmspec.report.formats.terminal import Terminal
    from mmspec.report.render import make_document

    registry = default_registry()

    def make() -> object:
        document = make_document(
            root / "report.toml", runs_root=root / "runs", folder=root, registry=registry, draw=False
        )
        assert len(document.used) == len(document.selection.runs)
        Console(file=io.StringIO(), width=400).print(Terminal(document))
        return document, as_json(document)

    return make


def rows(root: Path) -> Callable[[], object]:
    """Run directories to rows, with all keys of their specs."""
    from mmspec import load_runs

    return lambda: load_runs(root / "runs" / "many", spec=True)


def curves(root: Path) -> Callable[[], object]:
    """The rows of one metric of all runs, one run at a time."""
    from mmspec.report.runs.selection import read_runs

    def read() -> object:
        found = [[row.values["train/loss"] for row in run.rows("step", ("train/loss",))]
                 for run in read_runs(root / "runs", ["many"]).runs]  # fmt: skip
        assert all(len(values) >= LINES for values in found)
        return found

    return read


def _measured(which: str, what: str, store: Store) -> float:
    """Seconds, or bytes, of a process that makes this once."""
    command = [sys.executable, "-m", "benchmarks.reports", which, what, str(store.root)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _seconds(title: str, what: str, store: Store, limit: float | None = None) -> list[str]:
    times = [_measured("seconds", what, store) for _ in range(ROUNDS)]
    middle = statistics.median(times)
    held = "" if limit is None else f"  (at most {limit:g} s: {'holds' if middle <= limit else 'BROKEN'})"
    spread = f"[{min(times):.3f}, {max(times):.3f}]"
    return [f"{f'{store.runs} runs: {title}':<58} {middle:6.3f} {spread:<16} s{held}"]


def _memory(what: str, stores: dict[str, Store]) -> list[str]:
    """Memory grows with the runs, and not with their specs or rows of metrics."""
    peaks = {name: _measured("memory", what, store) / MIB for name, store in stores.items()}
    limits = {"small": None, "plain": 4.5 * peaks["small"], "long": 1.25 * peaks["plain"]}
    lines = []
    for name, peak in peaks.items():
        store, limit = stores[name], limits[name]
        held = f"  (at most {limit:.1f}: {'holds' if peak <= limit else 'BROKEN'})" if limit else ""
        title = f"{store.runs} runs: {what}, {store.modalities} modalities, {store.lines} rows"
        lines.append(f"{title:<58} {peak:6.1f} {'':<16} MiB at the peak{held}")
    return lines


def main(which: str, what: str, root: str) -> None:
    act = {"table": table, "rows": rows, "curves": curves}[what](Path(root))
    if which == "memory":
        print(growth(act))
        return
    start = time.perf_counter()
    act()
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
