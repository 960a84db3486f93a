"""What a run's identity rests on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmspec.graph.identity import identify
from mmspec.plugins import discovery
from mmspec.plugins.resolve import resolve
from mmspec.spec.load import read_document

SPEC = Path(__file__).parents[2] / "specs" / "colored_digits_guided.toml"


@pytest.fixture
def plan():
    return resolve(read_document(SPEC))[0]


def test_code_is_the_engine_and_the_plugins_that_make_numbers(plan):
    code = identify(plan, {}).code
    assert code["mmspec"]["target"] == "mmspec"
    assert {"dataset/colored_digits", "balancing/guided", "metric/accuracy"} <= set(code)
    # Not what only starts or mirrors runs; and samplers are the engine's own, whose hash covers them.
    assert not {name for name in code if name.split("/")[0] in ("tracker", "launcher", "sampler")}


def test_code_that_makes_no_numbers_changes_no_identity(plan, monkeypatch):
    before = identify(plan, {})
    hashed = discovery.hash_of_package
    asked: list[str] = []

    def hash_of_package(package):
        asked.append(package)
        return hashed(package)

    monkeypatch.setattr(discovery, "hash_of_package", hash_of_package)
    assert identify(plan, {}) == before
    assert "mmspec" not in asked  # as a whole: a change of the reports would make every run stale


def test_data_seed_and_spec_are_part_of_it(plan):
    ids = {
        identify(plan, {}).id,
        identify(plan, {"train": "other data"}).id,
        identify(resolve(read_document(SPEC))[1], {}).id,
        identify(resolve(read_document(SPEC, ["balancing.window=7"]))[0], {}).id,
    }
    assert len(ids) == 4
    assert identify(resolve(read_document(SPEC, ["train.log_every=1"]))[0], {}).id == identify(plan, {}).id
