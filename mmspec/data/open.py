"""From a plan to its splits, checked."""

from __future__ import annotations

from mmspec.data.pack_format import Follow, unfollowed
from mmspec.data.packing import open_packed
from mmspec.data.splits import check_roles, with_validation
from mmspec.errors import DataError
from mmspec.plugins.api import Source
from mmspec.plugins.plan import NetworkPlan


def open_splits(plan: NetworkPlan, follow: Follow = unfollowed) -> dict[str, Source]:
    """The sources of all splits of a stage, `[split]` applied, roles disjoint.

    `follow` is told how far a packing is, if one is needed first.

    Raises:
        DataError: data are missing, damaged, empty, or a sample is in two roles.
    """
    problems = plan.dataset.check()
    if problems:
        raise DataError(problems)
    modalities = plan.read_modalities
    if plan.spec.train.packed:
        opened = open_packed(plan.dataset, modalities, follow=follow)
    else:
        opened = dict(plan.dataset.open(modalities))
    sources = with_validation(opened, plan.spec.split)
    for name, source in sources.items():
        if not len(source):
            raise DataError(f"split {name!r} of dataset {plan.spec.dataset.use!r} has no samples")
    check_roles(sources, plan.splits)
    return sources
