"""Where W&B writes, and what it is told by the environment, as long as we call it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def everything_under(folder: Path) -> Iterator[dict[str, str]]:
    """Let W&B put its files, caches and logs under `folder` as long as this lasts, and print nothing.

    Gives the variables that are set. The process that W&B starts meanwhile keeps them. WANDB_CONFIG_DIR stays
    as it is: the address of the user's server may stand there. W&B reports its own errors to its server, and
    waits at exit for a server that does not answer; so that is off.
    """
    places = {"WANDB_DIR": "", "WANDB_CACHE_DIR": "cache", "WANDB_DATA_DIR": "data"}
    ours = {name: str(folder / place) for name, place in places.items()}
    ours |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield ours
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
