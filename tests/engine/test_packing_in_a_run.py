"""A run that reads packed data: what it says while it packs, and that it can be stopped meanwhile."""

from __future__ import annotations

import pytest
from test_loop import Rows, same, weights
from tiny import TinyData, run_plan, stage_plan

from mmspec.data import pack_layout
from mmspec.engine.loop import Interrupted
from mmspec.engine.run import execute_run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pack_layout, "_CHUNK_SAMPLES", 4)


def test_packed_data_change_nothing_but_the_log(tmp_path):
    plain, packed = Rows(), Rows()
    data = TinyData(shift=1)
    execute_run(run_plan(stage_plan(dataset=data)), plain, tmp_path / "plain")
    execute_run(run_plan(stage_plan(dataset=data, packed=True)), packed, tmp_path / "packed")
    assert packed.rows == plain.rows
    assert same(weights(tmp_path / "packed"), weights(tmp_path / "plain"))
    assert [line for line in packed.said if line not in plain.said] == ["train: packing a: 6% of 0.0 MiB"]


def test_a_run_is_stopped_while_it_packs(tmp_path):
    plan, asked = run_plan(stage_plan(packed=True)), []

    def should_stop():
        asked.append(len(asked))
        return len(asked) == 5

    with pytest.raises(Interrupted):
        execute_run(plan, Rows(), tmp_path / "run", should_stop=should_stop)
    assert [path.suffix for path in (tmp_path / "cache" / "packed").iterdir()] == [".making"]
    assert execute_run(plan, Rows(), tmp_path / "run").values["test/accuracy"] > 0
