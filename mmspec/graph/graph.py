"""The training graph: nodes and edges, each tensor edge with its shape."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import attrs

from mmspec.graph.layers import layer_shape, width
from mmspec.graph.network import Shapes, UnitSpec, infer_shapes
from mmspec.plugins.plan import ExtractPlan, NetworkPlan, StagePlan
from mmspec.spec.model import FEATURES, LOGITS


@attrs.frozen
class Node:
    """One part: `id` (unique), `kind` (source, stage, fusion, …), `label`, the modality it serves."""

    id: str
    kind: str
    label: str
    modality: str | None = None
    plugin: str | None = None


@attrs.frozen
class Edge:
    """What flows from one node to another: a tensor's `shape` without the batch axis; () a scalar."""

    source: str
    target: str
    shape: tuple[int, ...]


@attrs.frozen
class Graph:
    """The training graph of one stage."""

    name: str
    modalities: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @property
    def hash(self) -> str:
        """A hash of nodes, edges and shapes."""
        text = json.dumps(attrs.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**attrs.asdict(self), "hash": self.hash}


def build_graph(plan: NetworkPlan) -> Graph:
    """The graph of a stage, found by a pass on the meta device.

    Raises:
        GraphError: parts do not fit together.
    """
    if isinstance(plan, ExtractPlan) and plan.of_samples:
        return _graph_of_samples(plan)
    return graph_from_shapes(plan, infer_shapes(plan))


def graph_from_shapes(plan: NetworkPlan, shapes: Shapes) -> Graph:
    """The graph of a stage whose shapes are known."""
    build = _Builder(plan, shapes)
    build.sources()
    for place in shapes.places:
        build.advance(place.after)
        build.fuse(place)
    build.advance([len(stages) for stages in shapes.stages.values()])
    build.classify()
    if isinstance(plan, StagePlan):
        build.train(plan)
    elif isinstance(plan, ExtractPlan):
        build.write(plan)
    return Graph(plan.name, tuple(shapes.inputs), tuple(build.nodes), tuple(build.edges))


def _graph_of_samples(plan: ExtractPlan) -> Graph:
    """The graph of a stage that writes samples as they are."""
    m, data = plan.modality, plan.spec.dataset.use
    shape = plan.dataset.describe().modalities[m].shape
    source = Node(f"source.{m}", "source", m, m, data)
    table = Node("table", "table", "feature table", m)
    return Graph(plan.name, (m,), (source, table), (Edge(source.id, table.id, shape),))


class _Builder:
    """Adds nodes in the order in which the network runs; `flow` is where each modality has got to."""

    def __init__(self, plan: NetworkPlan, shapes: Shapes) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self._spec, self._shapes = plan.spec, shapes
        self._classes = (len(plan.dataset.describe().classes),)
        self._flow: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._done = dict.fromkeys(shapes.stages, 0)
        self._heads: list[tuple[str, tuple[int, ...]]] = []

    def sources(self) -> None:
        for m, shape in self._shapes.inputs.items():
            self._flow[m] = (self._add(Node(f"source.{m}", "source", m, m, self._spec.dataset.use)), shape)

    def advance(self, until: Sequence[int]) -> None:
        for (m, stages), end in zip(self._shapes.stages.items(), until, strict=True):
            plugin = self._spec.modalities[m].backbone.use
            for name in list(stages)[self._done[m] : end]:
                node = Node(f"branches.{m}.stages.{name}", "stage", name, m, plugin)
                self._flow[m] = (self._add(node, self._flow[m]), stages[name])
            self._done[m] = end

    def fuse(self, place: UnitSpec) -> None:
        assert self._spec.fusion is not None
        use = self._spec.fusion.use
        unit = self._add(Node(f"fusion.{place.name}", "fusion", use, None, use), *self._flow.values())
        self._flow = {m: (unit, shape) for m, (_, shape) in self._flow.items()}

    def classify(self) -> None:
        for m, features in self._shapes.features.items():
            pool = self._add(Node(f"branches.{m}.pool", "pool", "pool", m), self._flow[m])
            head = Node(f"branches.{m}.head", "head", "classifier", m)
            self._heads.append((self._add(head, (pool, (features,))), self._classes))

    def train(self, plan: StagePlan) -> None:
        prediction = self._add(Node("prediction", "prediction", "mean of logits"), *self._heads)
        objective = self._add(_named(plan, "objective"), *self._heads)
        strategy = self._add(_named(plan, "balancing"), (objective, ()))
        self._add(_named(plan, "optimizer"), (strategy, ()))
        for name in plan.metrics:
            self._add(Node(f"metrics.{name}", "metric", name, None, name), (prediction, self._classes))

    def write(self, plan: ExtractPlan) -> None:
        """The table, below the layer that it is of; nodes from which nothing leads there are left out."""
        m, extract = plan.modality, plan.spec.extract
        shape = layer_shape(plan, self._shapes)
        source = self._node_of(m, extract.layer)
        table = Node("table", "table", "feature table", m, extract.layer)
        self._add(table, (source, (width(shape, extract.pool),)))
        needed = {table.id}
        for node in reversed(self.nodes):
            if node.id in needed:
                needed |= {edge.source for edge in self.edges if edge.target == node.id}
        self.nodes = [node for node in self.nodes if node.id in needed]
        self.edges = [edge for edge in self.edges if edge.target in needed]

    def _node_of(self, m: str, layer: str) -> str:
        """The node that a layer belongs to."""
        known = {FEATURES: f"branches.{m}.pool", LOGITS: f"branches.{m}.head"}
        name = known.get(layer, f"branches.{m}.{layer}")
        ids = [node.id for node in self.nodes if name == node.id or name.startswith(f"{node.id}.")]
        return max(ids, key=len)

    def _add(self, node: Node, *inputs: tuple[str, tuple[int, ...]]) -> str:
        self.nodes.append(node)
        self.edges += [Edge(source, node.id, shape) for source, shape in inputs]
        return node.id


def _named(plan: StagePlan, part: str) -> Node:
    use = getattr(plan.spec, part).use
    return Node(part, part, use, None, use)
