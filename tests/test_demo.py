"""What `make demo` must show, on scikit-learn's digits: the order of the strategies under shifted colours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmspec.records import find_runs

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_order_of_the_strategies(tmp_path):
    command = [sys.executable, "-m", "mmspec", "run", str(ROOT / "specs" / "colored_digits.toml")]
    done = subprocess.run([*command, "--runs", str(tmp_path), "--set", "track=[]"], check=False, cwd=tmp_path)
    assert done.returncode == 0
    found: dict[str, list[dict[str, float]]] = {}
    for run in find_runs(tmp_path / "colored_digits").runs:
        found.setdefault(run.labels["variant"], []).append(run.values)
    assert {len(seeds) for seeds in found.values()} == {3}

    def values(variant, name="test/accuracy"):
        return [seed[name] for seed in found[variant]]

    def mean(variant, name="test/accuracy"):
        return sum(values(variant, name)) / 3

    assert mean("none") + 0.05 < mean("random")
    assert mean("random") + 0.05 < mean("guided")
    assert min(values("guided")) > max(values("none"))
    assert mean("uni-modal grey") > 0.93
    assert mean("uni-modal grey") > mean("guided")
    assert mean("uni-modal color") < 0.35
    assert mean("none", "test/accuracy.grey") < 0.6 < mean("guided", "test/accuracy.grey")
    assert mean("none", "test/d_util") < mean("none", "test_iid/d_util")
