"""Randomness keyed by names instead of by how far a stream has got."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from types import TracebackType

import torch

#: Keys are made so many at a time: in a training step a single hash finds nothing of its code in the caches.
_BLOCK = 64


class keyed_random:  # noqa: N801 - used like a function, once a step: a class costs less than a generator
    """Within it, torch draws from a state that depends on (seed, name, number) alone; then all is as before.

    Covers the CPU and, where given, one CUDA `device`.
    """

    def __init__(self, seed: int, name: str, number: int = 0, *, device: torch.device | None = None) -> None:
        block, place = divmod(number, _BLOCK)
        self._key = _keys(seed, name, block)[place]
        self._cuda = device if device is not None and device.type == "cuda" else None

    def __enter__(self) -> None:
        self._before = torch.default_generator.get_state()
        torch.default_generator.manual_seed(self._key)
        if self._cuda is not None:
            self._before_cuda = torch.cuda.get_rng_state(self._cuda)
            with torch.cuda.device(self._cuda):
                torch.cuda.manual_seed(self._key)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        torch.default_generator.set_state(self._before)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._before_cuda, self._cuda)


@lru_cache(maxsize=8)
def _keys(seed: int, name: str, block: int) -> tuple[int, ...]:
    """The keys of (seed, name) for the numbers of a block."""
    numbers = range(block * _BLOCK, (block + 1) * _BLOCK)
    digests = (sha256(f"{seed}/{name}/{number}".encode()).digest() for number in numbers)
    return tuple(int.from_bytes(digest[:7], "little") for digest in digests)
