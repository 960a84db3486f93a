"""Where a run comes from: command, code, packages, machine."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: Packages whose version can change a number.
PACKAGES = ("mmspec", "torch", "torchvision", "numpy", "scipy", "scikit-learn")
#: Longest diff that is kept, in characters.
DIFF_LIMIT = 200_000


def provenance(distributions: Iterable[str], folder: Path) -> dict[str, Any]:
    """What is known before a run starts; `distributions` are those of its plugins, `folder` the user's."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _command(),
        "mmspec": version("mmspec"),
        "git": git_state(folder),
        "python": platform.python_version(),
        "packages": versions((*PACKAGES, *distributions)),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
    }


def _command() -> str:
    """The command line as a user would type it again."""
    program = Path(sys.argv[0]).name
    return shlex.join(["mmspec" if program == "__main__.py" else program, *sys.argv[1:]])


def versions(names: Iterable[str]) -> dict[str, str]:
    """The installed versions of these distributions, of those that are installed."""
    found = {}
    for name in dict.fromkeys(names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit, changed files and their diff of the git repository around `folder`; None outside of one."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    status = _git(folder, "status", "--porcelain", "--untracked-files=normal") or ""
    diff = _git(folder, "diff", "--no-ext-diff", "HEAD") or ""
    return {
        "commit": commit.strip(),
        "dirty": bool(status.strip()),
        "changed": status.splitlines()[:200],
        "diff": diff[:DIFF_LIMIT],
        "diff_cut": len(diff) > DIFF_LIMIT,
    }


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None if it cannot."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
