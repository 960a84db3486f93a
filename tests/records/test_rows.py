"""Reading some of the rows gives what reading all of them and looking gives."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mmspec.errors import RecordError
from mmspec.records.metrics import MetricsLog, Row, as_line, read_rows

NAMES = [
    "train/loss",
    "train/loss.grey",
    'a "quoted": 1',
    "a, b",
    "{x}",
    "u(é|ü)",
    "back\\slash",
    "line\nend",
    "",
]
ROWS = some.builds(
    Row,
    some.sampled_from(["step", "epoch"]),
    some.sampled_from(["train", "first stage", '"', "step"]),
    some.integers(0, 10**9),
    some.integers(1, 99),
    some.dictionaries(some.sampled_from(NAMES), some.floats() | some.integers(0, 9).map(float)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    rows=some.lists(ROWS, max_size=6),
    kind=some.sampled_from([None, "step", "epoch"]),
    stage=some.sampled_from([None, "train", '"']),
    names=some.none() | some.sets(some.sampled_from([*NAMES, "no such"])),
)
def test_asking_for_some_is_reading_all_and_looking(tmp_path: Path, rows, kind, stage, names) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(as_line(r.kind, r.stage, r.step, r.epoch, r.values) for r in rows))
    fitting = [row for row in rows if kind in (None, row.kind) and stage in (None, row.stage)]
    expected = [
        (row.kind, row.stage, row.step, row.epoch, said)
        for row in fitting
        for said in [{n: v for n, v in row.values.items() if names is None or n in names}]
        if names is None or said
    ]
    found = [(r.kind, r.stage, r.step, r.epoch, r.values) for r in read_rows(path, kind, names, stage)]
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine[:4] == theirs[:4]
        assert mine[4].keys() == theirs[4].keys()
        assert all(same(mine[4][name], theirs[4][name]) for name in mine[4])


def same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "step", "stage": "train", "st{"kind": "step", "stage": "train", "step": 2, "values": {}}',
        '{"kind": "step", "stage": "train", "step": 1, "epoch": 1, "values": {"x": 1.0.0}}',
        '{"kind": "step", "stage": "train", "step": 1, "epoch": 1, "values": {"x": 1.0 "y": 2}}',
        '{"kind": "step", "stage": "train", "step": 1, "epoch": 1, "values": {"y": 2}',
        "",
    ],
)
@pytest.mark.parametrize("names", [None, {"x"}])
def test_a_damaged_line_is_told_whatever_is_asked_for(tmp_path: Path, line: str, names) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.append("step", "train", 1, 1, {"x": 1.0})
    with log.path.open("a") as file:
        file.write(line + "\n")
    log.append("step", "train", 3, 1, {"x": 3.0})
    with pytest.raises(RecordError, match=r"metrics.jsonl:2:1: this row is damaged"):
        list(read_rows(log.path, "step", names))


def test_a_line_that_others_wrote_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"values":{"x":1,"y":2},"epoch":1,"step":5,"stage":"train","kind":"step"}\n')
    [row] = read_rows(path, "step", ["x"], "train")
    assert (row.step, row.values) == (5, {"x": 1.0})
    assert not list(read_rows(path, "epoch", ["x"]))
