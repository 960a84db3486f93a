"""`reads` at the top of a spec: training stages read all of it, an analysis what it knows."""

from __future__ import annotations

from typing import ClassVar

import attrs
import pytest
from toy_plugins import GOOD, REGISTRY

from mmspec.errors import SpecError
from mmspec.plugins.api import Analysis
from mmspec.plugins.resolve import plan_from_json, resolve
from mmspec.spec.load import read_document

CHAIN = """\
[reads]
teacher = "table"

[[variants]]
name = "as it is"
[[variants]]
name = "shuffled"
reads.teacher.shuffle = "samples"

[[stages]]
name = "table"
extract = { layer = "input", modality = "grey" }
[[stages]]
name = "tuned"
[[stages]]
name = "size"
analysis = "size"
"""


@attrs.frozen(kw_only=True)
class Size(Analysis):
    """How large a table is."""

    tables: ClassVar = ("features",)

    def analyse(self, inputs, *, workers):
        raise AssertionError


@pytest.fixture
def plans(tmp_path):
    def make(reads):
        (tmp_path / "spec.toml").write_text(f"{GOOD}\n{CHAIN}{reads}\n")
        registry = REGISTRY.with_plugins({("analysis", "size"): Size})
        return [
            (plan, plan_from_json(plan.resolved, registry))
            for plan in resolve(read_document(tmp_path / "spec.toml"), registry)
        ]

    return make


def test_a_variant_changes_what_training_reads_and_no_analysis_is_in_the_way(plans):
    for plan, again in plans('reads.features = "table"'):
        _, tuned, size = plan.stages
        assert tuned.spec.reads["teacher"].stage == "table"
        assert tuned.spec.reads["teacher"].shuffle == (
            "samples" if plan.labels["variant"] == "shuffled" else None
        )
        assert list(size.spec.reads) == list(size.resolved["reads"]) == ["features"]
        assert again.stages[2].resolved == size.resolved


@pytest.mark.parametrize(
    ("reads", "what"),
    [
        ('reads = { features = "table", teacher = "table" }', "size reads nothing of this name"),
        ('reads.feature = "table"', "the stage does not say of which stage"),
    ],
)
def test_what_an_analysis_does_not_know_is_refused_in_its_own_table(plans, reads, what):
    with pytest.raises(SpecError, match=what):
        plans(reads)
