"""From run directories to a static site: how long it takes, and what it holds in memory.

Runs have what real ones have: resolved specs, sources, graphs, a thousand rows of metrics, a log, and the
differences of a dirty working tree. Each figure is measured in a process of its own, after its imports.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.paired import growth

ROOT = Path(__file__).parents[1]
VARIANTS, ROUNDS = 6, 3
SEEDS = {"small": 9, "whole": 34}  # × 6 variants: 54 and 204 runs
STEPS, EPOCHS = 1000, 20
MIB = 2**20


def site() -> list[str]:
    """A site of some 200 runs, written anew, and again without a change."""
    with tempfile.TemporaryDirectory() as folder:
        for name, seeds in SEEDS.items():
            _write_runs(Path(folder) / name, seeds)
        runs = SEEDS["whole"] * VARIANTS
        return [*_seconds(Path(folder) / "whole", runs), _memory(Path(folder), runs)]


def _seconds(root: Path, runs: int) -> list[str]:
    found = [_measured("seconds", root) for _ in range(ROUNDS)]
    lines = []
    for index, what in enumerate(("a site of {} runs, new", "a site of {} runs, nothing changed")):
        times = [each[index] for each in found]
        middle = statistics.median(times)
        limit = f"  (at most 20: {'holds' if middle <= 20 else 'BROKEN'})" if index == 0 else ""
        span = f"[{min(times):.2f}, {max(times):.2f}]"
        lines.append(f"{what.format(runs):<58} {middle:6.2f} {span:<16} s{limit}")
    return lines


def _memory(folder: Path, runs: int) -> str:
    """By how much the process grows at its peak for few and for many runs."""
    few, many = (_measured("memory", folder / name)[0] / MIB for name in SEEDS)
    more = runs - SEEDS["small"] * VARIANTS
    what = f"a site of {runs} runs: memory, and per further run"
    return f"{what:<58} {many:6.1f} MiB, {(many - few) / more:.3f} MiB"


def _measured(what: str, root: Path) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.site", what, str(root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(number) for number in done.stdout.split()[-2:]]


def _main(what: str, root: Path) -> None:
    """One measurement, printed."""
    from mmspec.plugins.registry import default_registry
    from mmspec.report.render import make_document
    from mmspec.report.site import write_site

    registry = default_registry()

    def make() -> Any:
        document = make_document(
            ROOT / "reports" / "colored_digits.toml", runs_root=root, folder=root / "site", registry=registry
        )
        return write_site(document, root / "site")

    if what == "memory":
        print(growth(make), 0)
        return
    shutil.rmtree(root / "site", ignore_errors=True)
    for _ in range(2):
        begin = time.perf_counter()
        make()
        print(time.perf_counter() - begin)


# ---------------------------------------------------------------- the runs


def _write_runs(root: Path, seeds: int) -> None:
    from mmspec.graph.draw import as_svg
    from mmspec.graph.graph import build_graph
    from mmspec.graph.identity import identify
    from mmspec.plugins.resolve import resolve
    from mmspec.spec.load import read_document

    document = read_document(ROOT / "specs" / "colored_digits.toml", [f"seeds={list(range(seeds))}"])
    sources = {Path(source.file).name: source.text for source in document.sources}
    graphs: dict[str, Any] = {}
    for plan in resolve(document):
        key = str(plan.labels)
        graph = graphs[key] = graphs.get(key) or build_graph(plan.stages[0])
        identity = identify(plan, {"train": "d" * 64}).to_json()
        files = {
            "spec.json": json.dumps(plan.resolved),
            "identity.json": json.dumps(identity),
            "provenance.json": json.dumps(_provenance()),
            "graph.json": json.dumps({"stages": {"train": graph.to_json()}}),
            "graph.svg": as_svg(graph),
            "log.txt": "".join(f"2026-01-01T00:00:00+00:00 epoch {n}\n" for n in range(200)),
            **_numbers(
                str(plan.labels), plan.seed, list(plan.stages[0].spec.modalities), str(identity["id"])
            ),
            **{f"source/{name}": text for name, text in sources.items()},
        }
        for name, text in files.items():
            path = root / plan.experiment / identity["id"] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def _provenance() -> dict[str, Any]:
    diff = "".join(f"+ line {number} of a change\n" for number in range(1000))
    git = {"commit": "c" * 40, "dirty": True, "changed": [" M model.py"], "diff": diff, "diff_cut": False}
    packages = {"torch": "2.13.0", "numpy": "2.4.6", "mmspec": "0.1.0"}
    return {"created": "2026-01-01T00:00:00+00:00", "command": "mmspec run", "git": git, "packages": packages}


def _numbers(labels: str, seed: int, modalities: list[str], run_id: str) -> dict[str, str]:
    """Result and rows of a run."""
    draw = random.Random(f"{labels} {seed}")
    keys = ["loss", "accuracy", *(f"loss.{m}" for m in modalities), "d_speed", "d_util", "u(color|grey)"]
    rows = [_row("step", step, keys[:-2], "train", draw) for step in range(1, STEPS + 1)]
    ends = [_row("epoch", STEPS // EPOCHS * epoch, keys, "val", draw) for epoch in range(1, EPOCHS + 1)]
    values = {
        f"{split}/{key}": draw.random() for split in ("train", "val", "test", "test_iid") for key in keys
    }
    stages = {"train": {"epochs": EPOCHS, "steps": STEPS, "selected": None, "values": values}}
    result = {"status": "finished", "values": values, "stages": stages, "seconds": 20.0, "identity": run_id}
    return {"result.json": json.dumps(result), "metrics.jsonl": "".join([*rows, *ends])}


def _row(kind: str, step: int, keys: list[str], split: str, draw: random.Random) -> str:
    values = {f"{split}/{key}": draw.random() + 5 / step for key in keys}
    epoch = 1 + (step - 1) * EPOCHS // STEPS
    row = {"kind": kind, "stage": "train", "step": step, "epoch": epoch, "values": values}
    return json.dumps(row) + "\n"


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
