"""Dissimilarity matrices with gradients: what `rdm` has, on tensors, and without waiting for the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mmspec_neural.noise import MULTI_UNIT_IT, NoiseModel

if TYPE_CHECKING:
    from torch import Tensor


def group_means(features: Tensor, groups: Tensor, count: int) -> Tensor:
    """The mean feature vector of each group. (N, D), (N,) of 0 … count − 1 → (count, D)

    A group without a sample is NaN. As a product of matrices it has the same result on every run.
    """
    membership = groups == torch.arange(count, device=groups.device)[:, None]
    weights = membership.to(features.dtype)
    means: Tensor = weights @ features / weights.sum(dim=1, keepdim=True)
    return means


def correlation_distance(vectors: Tensor) -> Tensor:
    """1 − Pearson's correlation between each two rows, exactly 0 on the diagonal. (G, D) → (G, G)"""
    centred = vectors - vectors.mean(dim=1, keepdim=True)
    directions = centred / torch.linalg.vector_norm(centred, dim=1, keepdim=True)
    off_diagonal = 1 - torch.eye(len(vectors), dtype=vectors.dtype, device=vectors.device)
    distances: Tensor = (1 - directions @ directions.T) * off_diagonal
    return distances


def rdm(features: Tensor, groups: Tensor, count: int) -> Tensor:
    """The dissimilarity matrix of group means, 1 − Pearson. (N, D), (N,) of 0 … count − 1 → (count, count)"""
    return correlation_distance(group_means(features, groups, count))


def rdm_mse(model: Tensor, target: Tensor, *, diagonal: bool = True) -> Tensor:
    """The mean squared difference of two dissimilarity matrices (G, G): a scalar.

    Over all G² entries, zeros of the diagonal included, as the published loss has it; or without the
    diagonal, which is G / (G − 1) times as much.
    """
    squares = (model - target).square()
    if diagonal:
        return squares.mean()
    size = len(squares)
    mean: Tensor = (squares.sum() - squares.trace()) / (size * (size - 1))
    return mean


def match_noise(
    features: Tensor, neural: Tensor, normal: Tensor, noise: NoiseModel = MULTI_UNIT_IT
) -> Tensor:
    """What `noise.match_noise` does; NaN where it finds no scale, since to refuse would be to wait.

    Features (N, D), responses (N, sites), `normal` (N, D) standard normal.
    """
    signal = neural.var(correction=0) - (noise.slope * neural + noise.offset).square().mean() / noise.trials
    scaled = (signal / features.var(correction=0)).sqrt() * features
    matched: Tensor = scaled + (noise.slope * scaled + noise.offset) * normal / noise.trials**0.5
    return matched
