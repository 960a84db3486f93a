"""The names that runs and their artifacts have in W&B."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: The type of the artifacts in W&B, by what they keep of a run.
ARTIFACT_TYPES: Mapping[str, str] = {"best": "model", "report": "run"}
#: W&B refuses longer names.
LONGEST_NAME = 128
#: What W&B refuses in the id of a run, and in the name of an artifact.
_NOT_IN_ID = re.compile(r"[/\\#?%:\s]+")
_NOT_IN_ARTIFACT = re.compile(r"[^A-Za-z0-9._-]+")


def wandb_id(run_id: str) -> str:
    """The id of a run in W&B."""
    return _NOT_IN_ID.sub("-", run_id)[:LONGEST_NAME]


def artifact_name(run_id: str, kept: str) -> str:
    """The name of a run's artifact: one of W&B's names must stand for one run only."""
    return f"{_NOT_IN_ARTIFACT.sub('-', run_id)[: LONGEST_NAME - 16]}-{kept}"
