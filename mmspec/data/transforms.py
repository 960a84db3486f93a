"""What a dataset does to samples, and that nothing of it is random where nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmspec.errors import GraphError, Problem
from mmspec.plugins.api import Dataset, Role
from mmspec.plugins.augment import Augmentation
from mmspec.plugins.plan import ExtractPlan, NetworkPlan, StagePlan

Transforms = Mapping[str, Sequence[Augmentation]]


def training_transforms(dataset: Dataset, modalities: Sequence[str]) -> Transforms:
    """What is done to training batches, by modality."""
    return {m: dataset.augmentations(m, "train") for m in modalities}


def evaluation_transforms(
    dataset: Dataset, modalities: Sequence[str], role: Role, *, allowed: bool, key: str
) -> Transforms:
    """What is done to samples of a split of this role when it is measured, by modality.

    Training samples are then treated as those of validation. `allowed`: random ones too, which `key` of the
    spec asks for; then training samples as in training.

    Raises:
        GraphError: something random is not allowed.
    """
    asked: Role = "validation" if role == "train" and not allowed else role
    found = {m: dataset.augmentations(m, asked) for m in modalities}
    drawn = [(m, step) for m, steps in found.items() for step in steps if step.is_random]
    if drawn and not allowed:
        raise GraphError(
            [
                Problem(
                    f"the dataset changes {m} of splits of {asked} at random ({type(step).__name__})",
                    hint=f"{key} = true allows it, if published numbers were made so",
                )
                for m, step in drawn
            ]
        )
    return found


def check_transforms(plan: NetworkPlan) -> None:
    """Whether what a stage measures or writes is left alone by chance.

    Raises:
        GraphError: a dataset changes it at random, and the spec does not ask for that.
    """
    roles = list(plan.splits.values())
    if isinstance(plan, StagePlan):
        allowed, key = plan.spec.evaluate.random_transforms, "evaluate.random_transforms"
    elif isinstance(plan, ExtractPlan):
        allowed, key = plan.spec.extract.random_transforms, "extract.random_transforms"
        roles = [plan.splits[split] for split in plan.spec.extract.splits or plan.splits]
    else:
        return
    for role in dict.fromkeys(roles):
        evaluation_transforms(plan.dataset, plan.read_modalities, role, allowed=allowed, key=key)
