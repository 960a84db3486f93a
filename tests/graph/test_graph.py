"""Shapes, the graph, its drawings and how two plans differ."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import attrs
import pytest
import tiny
import torch
from tiny import run_plan, stage_plan
from torch import nn

from mmspec.errors import GraphError
from mmspec.graph import build_graph
from mmspec.graph.diff import diff_plans
from mmspec.graph.draw import as_mermaid, as_svg, as_text
from mmspec.graph.network import build_network, infer_shapes
from mmspec.plugins.api import Cut


def test_shapes_come_from_the_meta_device_without_touching_random_numbers():
    before = torch.get_rng_state()
    shapes = infer_shapes(stage_plan())
    assert shapes.stages["a"] == {"one": (3, 4, 4), "two": (4, 4, 4)}
    assert shapes.features == {"a": 4, "b": 4}
    assert [(p.name, p.after) for p in shapes.places] == [("one", (1, 1)), ("two", (2, 2))]
    assert torch.equal(torch.get_rng_state(), before)


def test_units_may_stand_after_differently_named_stages():
    shapes = infer_shapes(stage_plan(at=({"a": "one", "b": "two"},)))
    (place,) = shapes.places
    assert (place.name, place.after) == ("one_two", (1, 2))
    assert shapes.at(place) == [(3, 4, 4), (4, 4, 4)]


def test_the_network_runs_in_lockstep():
    """The output equals stages and units called one after the other."""
    plan = stage_plan(at=("one",))
    network = build_network(plan, infer_shapes(plan), 0).eval()
    inputs = {m: torch.rand(2, 2, 4, 4) for m in "ab"}
    one = [network.branches[m].stages["one"](inputs[m]) for m in "ab"]
    fused = network.units["one"](one).features
    two = [network.branches[m].stages["two"](x) for m, x in zip("ab", fused, strict=True)]
    logits = [network.branches[m].head(network.branches[m].pool(x)) for m, x in zip("ab", two, strict=True)]
    assert torch.equal(network(inputs).prediction, torch.stack(logits).mean(0))


def test_parameters_of_branches_and_fusion_are_all_there_are():
    plan = stage_plan()
    network = build_network(plan, infer_shapes(plan), 0)
    sets = [*(network.branch_parameters(m) for m in "ab"), *(network.fusion_parameters(m) for m in "ab")]
    assert {id(p) for s in sets for p in s} == {id(p) for p in network.parameters()}


@attrs.frozen(kw_only=True)
class Wrong(tiny.TinyNet):
    """A second stage that does not fit the first, or a pooling that does not pool."""

    pool: bool = False

    def build(self, shape):
        cut = super().build(shape)
        if self.pool:
            return Cut(cut.stages, nn.Identity())
        return Cut({**cut.stages, "two": nn.Conv2d(99, 1, 1)}, cut.pool)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (False, r"stage 'two' of modality 'b' cannot take an input of \(N, 3, 4, 4\)"),
        (True, r"the pooling of modality 'b' must give \(N, features\), not \(N, 4, 4, 4\)"),
    ],
)
def test_shape_mistakes_are_found_without_data(pool, message):
    plan = stage_plan()
    wrong = attrs.evolve(plan, backbones={**plan.backbones, "b": Wrong(pool=pool)})
    with pytest.raises(GraphError, match=message):
        build_graph(wrong)


def test_graph_hash_sees_shapes_and_plugins():
    graphs = [
        build_graph(stage_plan()),
        build_graph(stage_plan(at=("one",))),
        build_graph(stage_plan(modalities=("a",), fusion=False)),
    ]
    assert len({graph.hash for graph in graphs}) == 3
    assert build_graph(stage_plan()).hash == graphs[0].hash


def test_drawings_show_every_node_and_shape():
    graph = build_graph(stage_plan())
    text, mermaid, svg = as_text(graph), as_mermaid(graph), as_svg(graph)
    for node in graph.nodes:
        assert node.id in text
    assert mermaid.count("-->") == len(graph.edges)
    root = ET.fromstring(svg)
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[1:] == [node.id for node in graph.nodes]
    assert "branches.a.stages.one [3×4×4]" in text


def test_drawings_escape_names():
    hostile = '<b>&"'
    graph = build_graph(stage_plan())
    node = attrs.evolve(graph.nodes[0], label=hostile)
    graph = attrs.evolve(graph, name=hostile, nodes=(node, *graph.nodes[1:]))
    root = ET.fromstring(as_svg(graph))
    assert root[0].text == f"Training graph of stage {hostile}"
    assert hostile in [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "#lt;b#gt;#amp;#quot;" in as_mermaid(graph)


def test_diff_names_keys_and_values():
    a, b = run_plan(stage_plan()), run_plan(stage_plan(epochs=9), seed=1)
    assert diff_plans(a, b) == [("seed", "0", "1"), ("train.epochs", "3", "9")]
    assert diff_plans(a, a) == []
