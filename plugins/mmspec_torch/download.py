"""torchvision's published weights: fetched once, kept where torch keeps them, and verified at every use."""

from __future__ import annotations

import hashlib
import sys
from http.client import HTTPException
from pathlib import Path

from mmspec.plugins.api import DataError

BASE = "https://download.pytorch.org/models/"


def fetch(file: str) -> Path:
    """The file of weights on this machine; its name ends in the first digits of its hash.

    Raises:
        DataError: it cannot be fetched, or what is there is damaged.
    """
    from torch import hub

    path = Path(hub.get_dir(), "checkpoints", file)
    digits = path.stem.rpartition("-")[-1]
    if not path.is_file():
        hint = f"fetch it on a machine with a network and put it to {path}, or give its path as `weights`"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            hub.download_url_to_file(BASE + file, str(path), digits, progress=sys.stderr.isatty())
        except (OSError, HTTPException, RuntimeError) as error:  # no network, no place; another hash
            raise DataError(f"cannot fetch {BASE}{file}: {error}", hint=hint) from None
    with path.open("rb") as content:
        if not hashlib.file_digest(content, "sha256").hexdigest().startswith(digits):
            raise DataError(f"{path} is not the published file, or damaged", hint="delete it and try again")
    return path
