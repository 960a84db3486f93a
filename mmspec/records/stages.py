"""The folder of stages that runs share, `.stages` beside those of experiments: which are in use."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = ".stages"
#: The file of a shared stage that every run which has the stage links to.
RESULT = "stage/result.json"


def prune(runs: Path) -> int:
    """Remove the shared stages that no run has any more; how many that were.

    Where the file system has no links, all of them: they would only spare work.
    """
    unused = [path.parents[1] for path in (runs / FOLDER).glob(f"*/{RESULT}") if path.stat().st_nlink == 1]
    for folder in unused:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)
    return len(unused)
