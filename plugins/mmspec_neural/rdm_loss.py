"""The RDM loss on batches, of which some groups may be absent."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import torch
from torch import Tensor

from mmspec.plugins.api import Batch, NetworkOutput
from mmspec_neural.grouped import codes, count
from mmspec_neural.rdm_torch import correlation_distance


@attrs.frozen
class RdmLoss:
    """`rdm_mse` of a branch's features and of their rows in a table; never below single precision."""

    group: str
    target: str
    modality: str | None
    diagonal: bool

    def __call__(self, output: NetworkOutput, batch: Batch) -> Mapping[str, Tensor]:
        """{modality: scalar}."""
        modality = self.modality or next(iter(output.features))
        features = output.features[modality]
        groups, number = codes(batch, self.group), count(output, batch, self.group)
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(torch.promote_types(features.dtype, torch.float32))
            target = batch.tables[self.target].to(features.dtype)
            loss = masked_rdm_mse(features, target, groups, number, diagonal=self.diagonal)
        return {modality: loss}


def masked_rdm_mse(
    features: Tensor, target: Tensor, groups: Tensor, number: int, *, diagonal: bool = True
) -> Tensor:
    """The mean squared difference of the dissimilarities of features (N, D) and target (N, D'): a scalar.

    `groups` (N,) are of 0 … number − 1. The mean is over pairs of which both groups are there: if all are,
    it is `rdm_torch.rdm_mse`. Which they are the host never learns.
    """
    weights = (groups == torch.arange(number, device=groups.device)[:, None]).to(features.dtype)
    counts = weights.sum(dim=1, keepdim=True)
    there = counts > 0
    both = (there & there.T).to(features.dtype)
    if not diagonal:
        both = both * (1 - torch.eye(number, dtype=both.dtype, device=both.device))
    one, other = (correlation_distance(_means(x, weights, counts, there)) for x in (features, target))
    loss: Tensor = ((one - other).square() * both).sum() / both.sum().clamp(min=1)
    return loss


def _means(values: Tensor, weights: Tensor, counts: Tensor, there: Tensor) -> Tensor:
    """The means of groups (G, D); in place of absent ones something with a direction, and no gradient."""
    stand_in = torch.arange(values.shape[1], dtype=values.dtype, device=values.device)
    return torch.where(there, weights @ values / counts.clamp(min=1), stand_in)
