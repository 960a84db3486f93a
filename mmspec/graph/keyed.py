"""Randomness keyed by names instead of by how far a stream has got."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def keyed_random(seed: int, name: str, device: torch.device | None = None) -> Iterator[None]:
    """Within it, torch draws from a state that depends on (seed, name) alone; afterwards it is as before.

    Covers the CPU and, where given, one CUDA `device`.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    number = int.from_bytes(digest[:7], "little")
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(number)
        for cuda in devices:
            with torch.cuda.device(cuda):
                torch.cuda.manual_seed(number)
        yield
