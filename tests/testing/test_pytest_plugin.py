"""The fixtures that come with mmspec, and what they cost a test run that does not use them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mmspec import testing
from mmspec.errors import PluginError
from mmspec.spec.structure import MisfitError


def test_a_plugin_has_the_options_of_a_spec(mmspec_plugin):
    assert mmspec_plugin("balancing", "guided", alpha=0.5).alpha == 0.5
    with pytest.raises(MisfitError, match="must be 0 or above"):
        mmspec_plugin("balancing", "guided", alpha=-1.0)
    with pytest.raises(PluginError, match="there is no balancing"):
        mmspec_plugin("balancing", "gided")


def test_a_trainer_is_driven_by_hand(mmspec_trainer, mmspec_plugin):
    trainer = mmspec_trainer(balancing=mmspec_plugin("balancing", "none"), modalities=3)
    results = [trainer.step(batch) for batch in trainer.batches()]

    assert len(results) == 5
    assert set(results[0].terms) == {"one", "two", "three"}


def test_batches_have_groups_and_tables_of_the_names_that_are_asked_for(mmspec_trainer):
    batch = next(mmspec_trainer(groups=("pose",), tables=("teacher", "neurons")).batches())

    assert set(batch.groups) == set(batch.group_names) == {"pose"}
    assert {name: len(rows) for name, rows in batch.tables.items()} == {"teacher": 4, "neurons": 4}


def test_an_analysis_has_toy_inputs(mmspec_plugin, mmspec_inputs):
    difference = mmspec_plugin("analysis", "paired_difference")
    inputs = mmspec_inputs(type(difference))

    assert list(inputs) == ["before", "after"]
    assert difference.analyse(inputs, workers=1).values["n"] == 10


def test_pytest_does_not_import_torch_for_it():
    code = (
        "import sys, mmspec.testing.pytest_plugin; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_exported_name_is_there():
    for name in testing.__all__:
        assert getattr(testing, name).__name__ == name
    with pytest.raises(AttributeError):
        testing.check_nothing  # noqa: B018
