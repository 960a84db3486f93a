"""Conformance checks for plugin authors: does a plugin keep the promises of `mmspec.plugins.api`?

    from mmspec.testing import check_dataset

    def test_my_dataset(tmp_path):
        check_dataset(MyDataset(root=tmp_path / "absent"), tmp_path)

A check raises `ConformanceError`, an AssertionError that says which promise is broken. The pytest plugin
that comes with mmspec adds the fixtures `mmspec_plugin`, `mmspec_trainer` and `mmspec_inputs`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmspec.testing.analyses import check_analysis
    from mmspec.testing.backbones import check_backbone
    from mmspec.testing.balancing import check_balancing
    from mmspec.testing.claims import ConformanceError
    from mmspec.testing.datasets import check_dataset
    from mmspec.testing.fusions import check_fusion
    from mmspec.testing.metrics import check_metric
    from mmspec.testing.options import check_options
    from mmspec.testing.samplers import check_sampler
    from mmspec.testing.sources import check_source
    from mmspec.testing.trackers import check_tracker
    from mmspec.testing.training import check_objective, check_optimizer, check_schedule

__all__ = [
    "ConformanceError", "check_analysis", "check_backbone", "check_balancing", "check_dataset",
    "check_fusion", "check_metric", "check_objective", "check_optimizer", "check_options", "check_sampler",
    "check_schedule", "check_source", "check_tracker",
]  # fmt: skip

_MODULES = {
    "ConformanceError": "claims",
    "check_analysis": "analyses",
    "check_backbone": "backbones",
    "check_balancing": "balancing",
    "check_dataset": "datasets",
    "check_fusion": "fusions",
    "check_metric": "metrics",
    "check_objective": "training",
    "check_optimizer": "training",
    "check_options": "options",
    "check_sampler": "samplers",
    "check_schedule": "training",
    "check_source": "sources",
    "check_tracker": "trackers",
}


def __getattr__(name: str) -> Any:
    # pytest imports this package at every start, so the checks, which need torch, are imported on use.
    if name in _MODULES:
        return getattr(import_module(f"mmspec.testing.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
