"""The pytest plugin that comes with mmspec: fixtures for tests of plugins. It imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mmspec.engine.trainer import Trainer
    from mmspec.plugins.api import Analysis, Plugin, StageOutput


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

    Takes `balancing`, `objective`, `metrics` {name: plugin}, `modalities`, `precision`, `seed`, `fused`, and
    names of `groups` and `tables` that batches have.
    """
    from mmspec.testing.toys import toy_trainer

    return toy_trainer


@pytest.fixture
def mmspec_inputs() -> Callable[[type[Analysis]], dict[str, StageOutput]]:
    """What an analysis reads, by its own names, of toy stages: features of 90 samples, and some accuracies.

    result = MyAnalysis().analyse(mmspec_inputs(MyAnalysis), workers=1)
    """
    from mmspec.testing.analyses import toy_inputs

    return toy_inputs
