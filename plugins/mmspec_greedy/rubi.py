"""RUBi (Cadene et al. 2019) on top of the branches' losses, as Wu et al. 2022 use it for comparison.

For a biased modality b: q = c_1(features of b, gradient stopped), and the loss gains
CE(prediction · sigmoid(q), y) + weight · CE(c_2(q), y). At test the plain prediction is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mmspec.plugins.api import MultiModalNetwork, Step, Strategy


class MaskBranch(nn.Module):
    """c_1, a small MLP from pooled features (N, F) to class logits q, and c_2, linear on q."""

    def __init__(self, features: int, hidden: Sequence[int], classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise([features, *hidden]):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.mask = nn.Sequential(*layers, nn.Linear([features, *hidden][-1], classes))
        self.classifier = nn.Linear(classes, classes)

    def loss(self, features: Tensor, prediction: Tensor, target: Tensor, weight: float) -> Tensor:
        """CE of the masked prediction (N, K), plus `weight` times that of c_2; no gradient to `features`."""
        q = self.mask(features.detach())
        masked = cross_entropy(prediction * torch.sigmoid(q), target)
        return masked + weight * cross_entropy(self.classifier(q), target)


class RubiStrategy(Strategy):
    """One mask branch for each biased modality; their losses are averaged. Its parameters are trained too."""

    def __init__(
        self,
        network: MultiModalNetwork,
        seed: int,
        *,
        biased: Sequence[str],
        weight: float = 1.0,
        hidden: Sequence[int] = (128,),
    ) -> None:
        super().__init__()
        self.weight = weight
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.masks = nn.ModuleDict(
                {m: MaskBranch(network.feature_sizes[m], hidden, network.classes) for m in biased}
            )

    def loss(self, step: Step) -> Tensor:
        """The branches' losses, plus the mean over biased modalities of RUBi's."""
        losses = [
            mask.loss(step.output.features[m], step.output.prediction, step.batch.target, self.weight)
            for m, mask in self.masks.items()
            if isinstance(mask, MaskBranch)
        ]
        return super().loss(step) + torch.stack(losses).mean()
