"""What the stages of a run do, in few words for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmspec.plugins.recorded import kind_of_stage


def progress_words(stages: Sequence[Mapping[str, Any]], progress: Mapping[str, Any]) -> str:
    """How far a run of these stages is: `epoch 3/12`, `extracting features 120/490`, `analysing sit`.

    Where there are several stages, that an epoch is of is named: `learn: epoch 3/12`.
    """
    name = progress.get("stage")
    kind = next((kind_of_stage(stage) for stage in stages if stage["name"] == name), "trains")
    if kind == "analyses":
        return f"analysing {name}"
    if kind == "measures":
        return f"measuring {name}"
    if kind == "extracts":
        done = f" {progress['step']}/{progress['steps']}" if progress.get("steps") else ""
        return f"extracting {name}{done}"
    of = f"{name}: " if len(stages) > 1 else ""
    return f"{of}epoch {progress['epoch']}/{progress['epochs']}"


def trained_epochs(stages: Mapping[str, Mapping[str, Any]]) -> str:
    """The epochs of each stage of a finished run that has trained, `12 + 3`; a dash if none has."""
    return " + ".join(str(stage["epochs"]) for stage in stages.values() if stage["epochs"]) or "—"
