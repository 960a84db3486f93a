"""Reading what an offline run of W&B recorded, by W&B's own reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def read_offline(segment: Path) -> list[dict[str, Any]]:
    """The records of an offline run, by W&B's own reader."""
    (file,) = segment.glob("*.wandb")
    wandb = Path(sys.executable).with_name("wandb")
    out = subprocess.run(
        [wandb, "leet", "inspect", "--json", file], capture_output=True, text=True, check=True
    ).stdout
    return [json.loads(line) for line in out.splitlines()]


def history(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that were logged, without W&B's own columns but `_step`."""
    rows = [record["history"]["item"] for record in records if record["type"] == "history"]
    return [{k: v for k, v in row.items() if k == "_step" or not k.startswith("_")} for row in rows]
