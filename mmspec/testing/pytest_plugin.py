"""The pytest plugin that comes with mmspec: fixtures for tests of plugins. It imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mmspec.engine.trainer import Trainer
    from mmspec.plugins.api import Plugin


@pytest.fixture
def mmspec_plugin() -> Callable[..., Plugin]:
    """An installed plugin by kind and name, with options as strict as in a spec.

        plugin = mmspec_plugin("balancing", "guided", alpha=0.05)

    Raises PluginError for an unknown name, and MisfitError for options that do not fit.
    """

    def make(kind: str, name: str, **options: Any) -> Plugin:
        from mmspec.plugins.registry import default_registry
        from mmspec.spec.structure import structure_fields

        plugin: Plugin = structure_fields(default_registry().find(kind, name).load(), options)
        return plugin

    return make


@pytest.fixture
def mmspec_trainer() -> Callable[..., Trainer]:
    """A trainer of toy parts with your plugin among them, to drive step by step.

        trainer = mmspec_trainer(balancing=MyStrategy(), modalities=3)
        for batch in trainer.batches():
            result = trainer.step(batch)

    Takes `balancing`, `objective`, `metrics` {name: plugin}, `modalities`, `precision`, `seed`, `fused`.
    """
    from mmspec.testing.toys import toy_trainer

    return toy_trainer
