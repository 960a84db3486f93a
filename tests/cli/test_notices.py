"""What trackers said, at the end of `mmspec run`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from mmspec.cli.run import _say_notices
from mmspec.launch.mirror import notices_of


def run(folder: Path, name: str, said: str | None) -> SimpleNamespace:
    path = folder / name
    notices_of(path).parent.mkdir(parents=True)
    if said is not None:
        notices_of(path).write_text(said + "\n")
    return SimpleNamespace(path=path)


def test_what_is_the_same_but_for_the_run_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        run(tmp_path, "a-s0", "offline; upload with: mmspec runs sync a-s0"),
        run(tmp_path, "a-s1", None),
        run(tmp_path, "a-s2", "offline; upload with: mmspec runs sync a-s2"),
    ]
    _say_notices(runs)
    assert capsys.readouterr().out == "\noffline; upload with: mmspec runs sync\n"
    _say_notices(runs[:1])
    assert capsys.readouterr().out == "\noffline; upload with: mmspec runs sync a-s0\n"


def test_others_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [run(tmp_path, f"a-s{i}", f"W&B: https://w/{i}") for i in range(3)]
    _say_notices(runs)
    assert capsys.readouterr().out == (
        "\nW&B: https://w/0\n(2 more runs say the like; their log.txt has it)\n"
    )
