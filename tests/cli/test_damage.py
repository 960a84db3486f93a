"""Whatever stands in the files of a run: a problem that names the file, never a traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmspec.cli import cli
from mmspec.records import find_runs
from mmspec.records.metrics import Row

FILES = (
    "spec.json",
    "identity.json",
    "result.json",
    "progress.json",
    "provenance.json",
    "failure.json",
    "metrics.jsonl",
    "lock",
)

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value[path[0]] = put(value[path[0]], path[1:], new)
    return value


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_problem(lab: tuple[Any, str], tmp_path: Path, data: st.DataObject) -> None:
    runs = tmp_path / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    intact = find_runs(lab[0].folder / "runs").runs[0]
    path = runs / "tiny" / intact.id
    path.mkdir(parents=True)
    for name in FILES:
        if (intact.path / name).exists():
            shutil.copy(intact.path / name, path / name)
    name = data.draw(st.sampled_from(FILES))
    if data.draw(st.booleans()) and (path / name).exists() and name.endswith(".json"):
        content = json.loads((path / name).read_text())
        content = put(content, data.draw(st.sampled_from(places(content))), data.draw(values))
        (path / name).write_text(json.dumps(content))
    else:
        (path / name).write_bytes(data.draw(st.binary() | values.map(lambda v: json.dumps(v).encode())))
    for arguments in (["list"], ["show", str(path)], ["remove", "x*", "--yes"]):
        result = CliRunner().invoke(cli, ["runs", *arguments, "--runs", str(runs)])
        assert result.exit_code in (0, 2), result.output
        assert "internal error" not in result.output


@settings(max_examples=200, deadline=None)
@given(value=values)
def test_any_line_of_metrics_is_a_row_or_none(value: Any) -> None:
    try:
        row = Row.from_line(json.dumps(value))
    except ValueError:
        return
    assert isinstance(row.step, int)


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "step", "stage": "s", "step": Infinity, "epoch": 1, "values": {}}',
        '{"kind": [], "stage": {}, "step": 1, "epoch": 1, "values": {}}',
        "[" * 100_000,
        '{"kind": "step", "stage": "s", "step": 1, "epoch": 1, "values": {"x": ' + "9" * 5000 + "}}",
    ],
)
def test_lines_that_look_like_rows(line: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Row.from_line(line)
