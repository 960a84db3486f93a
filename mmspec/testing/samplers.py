"""Does a sampler keep its promises?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mmspec.plugins.api import ArraySource, Sampler
from mmspec.testing.claims import claim, works
from mmspec.testing.options import check_options

_SAMPLES, _CLASSES, _BATCH = 46, 3, 8


def check_sampler(plugin: Sampler, *, groups: Mapping[str, np.ndarray] | None = None) -> None:
    """Check a sampler on some dozens of samples of three classes, and with these `groups` of the samples."""
    check_options(plugin)
    targets = np.arange(_SAMPLES) % _CLASSES
    source = ArraySource({}, targets, np.arange(_SAMPLES), dict(groups or {}))
    before = _numpy_state()
    epochs = [_batches(plugin, source, epoch) for epoch in (1, 2, 3)]
    again = _batches(plugin, source, 2)
    claim(_numpy_state() == before, "batches() draws from numpy's global random state")
    same = len(again) == len(epochs[1]) and all(map(np.array_equal, again, epochs[1]))
    claim(same, "batches() must give the same batches for the same seed and epoch")
    counts = {len(batches) for batches in epochs}
    claim(len(counts) == 1, f"epochs have {sorted(counts)} batches, and all must have equally many")
    for batch in epochs[0]:
        claim(0 < len(batch) <= _BATCH, f"a batch has {len(batch)} samples, with batch_size = {_BATCH}")
        inside = np.issubdtype(batch.dtype, np.integer) and batch.min() >= 0 and batch.max() < _SAMPLES
        claim(bool(inside), "batches() must give positions of samples, counted from 0")


def _batches(plugin: Sampler, source: ArraySource, epoch: int) -> Sequence[np.ndarray]:
    return works("batches()", lambda: plugin.batches(source, batch_size=_BATCH, seed=5, epoch=epoch))


def _numpy_state() -> str:
    return str(np.random.get_state())
