"""Dissimilarity matrices over a whole split, of a branch and of a target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmspec.plugins.api import Batch, LabelledArray, NetworkOutput, StreamingMetric
from mmspec_neural.grouped import codes
from mmspec_neural.labelled import labelled_rdm
from mmspec_neural.rdm import Method, compare_rdms, correlation_distance, rdm_mse
from mmspec_neural.reading import CLASS

_FEWEST = 3
_SUMS = ("images", "features", "target")


class StreamingRdms(StreamingMetric):
    """Sums of features and target rows over groups.

    State, float64: `features` (G, F), `target` (G, D), `images` (G, B) of each group and border class (B = 1
    where there are no borders), and the names of both. Sizes are those of the first batch.
    """

    images: Tensor
    features: Tensor
    target: Tensor

    def __init__(
        self, *, modality: str, grouping: str, target: str, border: str, classes: Sequence[str],
        method: Method, diagonal: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self._modality, self._table, self._classes = modality, target, tuple(classes)
        self._grouping, self._border = grouping, border
        self._method, self._diagonal = method, diagonal
        self._names: tuple[str, ...] = ()
        self._borders: tuple[str, ...] = ()
        for name in _SUMS:
            self.register_buffer(name, torch.zeros(0, 0, dtype=torch.float64))

    def update(self, output: NetworkOutput, batch: Batch) -> None:
        """Add a batch."""
        self._names, self._borders = self._known(batch, self._grouping), self._known(batch, self._border)
        members = _one_hot(codes(batch, self._grouping), len(self._names))
        within = members.new_ones(len(batch), 1)
        if self._borders:
            within = _one_hot(codes(batch, self._border), len(self._borders)).T
        added = (within, output.features[self._modality].detach(), batch.tables[self._table])
        with torch.autocast(members.device.type, enabled=False):
            for name, rows in zip(_SUMS, added, strict=True):
                before, sums = getattr(self, name), members @ rows.double()
                setattr(self, name, before + sums if before.numel() else sums)

    def compute(self) -> Mapping[str, float]:
        """How alike the matrices are, and their mean squared difference; NaN of less than three groups."""
        there = self._there()
        if there.sum() < _FEWEST:
            return {f"rdm_{self._method}": math.nan, "rdm_mse": math.nan}
        features, target = self._matrices(there)
        similarity = compare_rdms(features, target, self._method)
        return {
            f"rdm_{self._method}": similarity,
            "rdm_mse": rdm_mse(features, target, diagonal=self._diagonal),
        }

    def arrays(self) -> Mapping[str, LabelledArray]:
        """Both matrices (G, G), of the groups that the split has."""
        there = self._there()
        if not there.any():
            return {}
        names = [self._names[g] for g in np.flatnonzero(there)]
        borders = self._borders_of(there)
        matrices = zip(("rdm", "rdm_target"), self._matrices(there), strict=True)
        return {name: labelled_rdm(matrix, self._grouping, names, borders) for name, matrix in matrices}

    def reset(self) -> None:
        """Forget all batches."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name).new_zeros(0, 0))

    def get_extra_state(self) -> dict[str, list[str]]:
        """The names of groups and of border classes."""
        return {"names": list(self._names), "borders": list(self._borders)}

    def set_extra_state(self, state: Mapping[str, Sequence[str]]) -> None:
        """Take these names."""
        self._names, self._borders = tuple(state["names"]), tuple(state["borders"])

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name in _SUMS:  # which are as large as those that were saved
            if (saved := state_dict.get(prefix + name)) is not None:
                setattr(self, name, getattr(self, name).new_zeros(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _known(self, batch: Batch, grouping: str) -> tuple[str, ...]:
        return self._classes if grouping == CLASS else batch.group_names.get(grouping, ())

    def _there(self) -> np.ndarray:
        """Which groups have samples. (G,) bool"""
        there: np.ndarray = self.images.sum(dim=1).cpu().numpy() > 0
        return there

    def _matrices(self, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        counts = self.images.sum(dim=1, keepdim=True).cpu().numpy()[there]
        features, target = (sums.cpu().numpy()[there] / counts for sums in (self.features, self.target))
        return correlation_distance(features), correlation_distance(target)

    def _borders_of(self, there: np.ndarray) -> list[str] | None:
        """The border class of each group, if each is of one only."""
        images = self.images.cpu().numpy()[there]
        if not self._borders or (np.count_nonzero(images, axis=1) > 1).any():
            return None
        return [self._borders[b] for b in images.argmax(axis=1)]


def _one_hot(numbers: Tensor, count: int) -> Tensor:
    """Which samples are of which group. (N,) → (count, N) float64"""
    return (numbers == torch.arange(count, device=numbers.device)[:, None]).double()
