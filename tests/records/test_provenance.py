from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mmspec.records import provenance


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "a.txt").write_text("one\n")
    git("add", "a.txt")
    git("commit", "-m", "first")
    return tmp_path


def test_a_clean_and_a_dirty_repository(repository: Path) -> None:
    clean = provenance.git_state(repository)
    assert clean is not None
    assert (clean["dirty"], clean["diff"], len(clean["commit"])) == (False, "", 40)
    (repository / "a.txt").write_text("two\n")
    (repository / "b.txt").touch()
    dirty = provenance.git_state(repository)
    assert dirty is not None
    assert dirty["changed"] == [" M a.txt", "?? b.txt"]
    assert "+two" in dirty["diff"]
    assert not dirty["diff_cut"]


def test_a_large_diff_is_cut(repository: Path) -> None:
    (repository / "a.txt").write_text("x" * 2 * provenance.DIFF_LIMIT)
    state = provenance.git_state(repository)
    assert state is not None
    assert (len(state["diff"]), state["diff_cut"]) == (provenance.DIFF_LIMIT, True)


def test_outside_of_a_repository_there_is_no_git_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_state(tmp_path) is None


def test_provenance_names_packages_that_are_there(tmp_path: Path) -> None:
    found = provenance.provenance(["attrs", "surely-not-installed"], tmp_path)
    assert {"mmspec", "torch", "numpy", "attrs"} <= set(found["packages"])
    assert "surely-not-installed" not in found["packages"]
