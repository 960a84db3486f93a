"""Checkpoints: written whole or not at all, checksummed, read without executing anything.

`index.json` names what there is, newest first; it is replaced after a new file is complete, so whatever
moment a process dies in, the index names only complete files.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from mmspec.errors import RunError
from mmspec.system import write_whole

#: How many checkpoints of the run's course are kept.
KEPT = 2


class CheckpointStore:
    """The checkpoints of one stage in `folder`: the last two of its course, and the selected weights."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        folder.mkdir(parents=True, exist_ok=True)
        self._index = self._read_index()

    def save(self, state: Mapping[str, Any], step: int) -> None:
        """Keep the state of the run after `step` steps; older ones than the last two go."""
        entry = self._write(f"step-{step}.pt", state)
        last = [entry, *(old for old in self._index["last"] if old["file"] != entry["file"])]
        self._replace_index({**self._index, "last": last[:KEPT]})

    def keep(self, state: Mapping[str, Any], step: int) -> str:
        """Keep weights that were selected; the name to ask for them. Forgotten once `save` names another."""
        entry = self._write(f"selected-{step}.pt", state)
        selected = [entry, *(old for old in self._index["selected"] if old["file"] != entry["file"])]
        self._replace_index({**self._index, "selected": selected[:KEPT]})
        return str(entry["file"])

    def last(self) -> dict[str, Any] | None:
        """The newest state that is whole, or None."""
        for entry in self._index["last"]:
            state = self._load(entry)
            if state is not None:
                return state
        return None

    def selected(self, name: str) -> dict[str, Any]:
        """Weights kept under `name`.

        Raises:
            RunError: they are gone or damaged.
        """
        for entry in self._index["selected"]:
            if entry["file"] == name:
                state = self._load(entry)
                if state is not None:
                    return state
        raise RunError(f"the selected checkpoint {self._folder / name} is missing or damaged")

    def _write(self, name: str, state: Mapping[str, Any]) -> dict[str, str]:
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        content = buffer.getvalue()
        write_whole(self._folder / name, content)
        return {"file": name, "sha256": hashlib.sha256(content).hexdigest()}

    def _load(self, entry: Mapping[str, str]) -> dict[str, Any] | None:
        path = self._folder / entry["file"]
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != entry["sha256"]:
                raise ValueError("its checksum does not match")
            state: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
        except (OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
            self._say(f"checkpoint {path} cannot be used: {error}")
            return None
        return state

    def _read_index(self) -> dict[str, list[dict[str, str]]]:
        try:
            index: dict[str, list[dict[str, str]]] = json.loads((self._folder / "index.json").read_text())
        except FileNotFoundError:
            return {"last": [], "selected": []}
        except ValueError as error:
            self._say(f"{self._folder / 'index.json'} is damaged ({error}): the stage starts again")
            return {"last": [], "selected": []}
        return index

    def _replace_index(self, index: dict[str, list[dict[str, str]]]) -> None:
        write_whole(self._folder / "index.json", json.dumps(index, indent=1).encode())
        named = {entry["file"] for entries in index.values() for entry in entries}
        for path in self._folder.glob("*.pt"):
            if path.name not in named:
                path.unlink(missing_ok=True)
        self._index = index
