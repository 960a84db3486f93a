"""The training graph as text, Mermaid and SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmspec.graph.graph import Edge, Graph, Node

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 184, 34, 24, 30
#: What is left free around a picture.
MARGIN = 20
_LONGEST = 26
#: What follows the heads stands in two parts: training in the first column, measuring beside it.
_TRAINING = ("objective", "balancing", "optimizer")


def show_shape(shape: Sequence[int]) -> str:
    """A shape without batch axis as a reader writes it; () is a scalar."""
    return "×".join(map(str, shape)) or "scalar"


def as_text(graph: Graph) -> str:
    """A line a node, with what flows in."""
    width = max(len(node.id) for node in graph.nodes)
    incoming = _incoming(graph)
    lines = [f"stage {graph.name}: {len(graph.nodes)} nodes, modalities {', '.join(graph.modalities)}"]
    for node in graph.nodes:
        sources = ", ".join(f"{edge.source} [{show_shape(edge.shape)}]" for edge in incoming[node.id])
        arrow = f"  ←  {sources}" if sources else ""
        what = f"{node.label} ({node.plugin})" if node.plugin and node.plugin != node.label else node.label
        lines.append(f"  {node.id:<{width}}  {what}{arrow}")
    return "\n".join(lines)


def as_mermaid(graph: Graph) -> str:
    """A Mermaid flowchart."""
    number = {node.id: f"n{i}" for i, node in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    for node in graph.nodes:
        shown = dict.fromkeys((node.label, node.plugin or node.label))
        lines.append(f'  {number[node.id]}["{"<br/>".join(map(mermaid_text, shown))}"]')
    lines += [
        f'  {number[edge.source]} -- "{show_shape(edge.shape)}" --> {number[edge.target]}'
        for edge in graph.edges
    ]
    return "\n".join(lines)


def as_svg(graph: Graph) -> str:
    """A layered drawing: one column a modality, what serves all of them across the columns."""
    boxes = _layout(graph)
    width = max(x + w for x, _, w in boxes.values()) + MARGIN
    height = max(y for _, y, _ in boxes.values()) + _HEIGHT + MARGIN
    parts = [
        *(_draw_edge(edge, boxes) for edge in graph.edges),
        *(_draw_node(node, boxes[node.id]) for node in graph.nodes),
    ]
    return picture(f"Training graph of stage {graph.name}", width, height, parts)


def picture(title: str, width: float, height: float, parts: Iterable[str]) -> str:
    """An SVG picture of what `parts` draw, in the look of our graphs; `.edge`s may end in `url(#arrow)`."""
    said = escape(title)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" role="img" aria-label="{said}">',
            f"<title>{said}</title>",
            f"<style>{_STYLE}</style>",
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 8 4 0 8z" class="tip"/></marker></defs>',
            f'<rect class="paper" width="{width:g}" height="{height:g}"/>',
            *parts,
            "</svg>",
        ]
    )


_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1b1b1b}.small{font-size:10px;fill:#555}.name{font-weight:600}"
    ".paper{fill:#fff}.node{fill:#f4f4f4;stroke:#777}.source{fill:#fff;stroke-dasharray:4 2}"
    ".stage,.trains{fill:#e3eef8;stroke:#0072b2}.fusion,.extracts{fill:#fdf0d9;stroke:#b87500}"
    ".head,.pool,.analyses{fill:#e6f4ee;stroke:#00805c}"
    ".balancing,.objective,.optimizer{fill:#f8e8f1;stroke:#a3457c}"
    ".edge{stroke:#777;fill:none}.tip{fill:#777}"
    ".reads{stroke-dasharray:5 3}.shuffled{stroke:#a3457c;stroke-dasharray:1.5 3}"
)


def mermaid_text(text: str) -> str:
    """Text in a Mermaid label, where HTML is read and entities begin with #."""
    return escape(text).replace("&", "#")


def _incoming(graph: Graph) -> dict[str, list[Edge]]:
    incoming: dict[str, list[Edge]] = {node.id: [] for node in graph.nodes}
    for edge in graph.edges:
        incoming[edge.target].append(edge)
    return incoming


def _layout(graph: Graph) -> dict[str, tuple[float, float, float]]:
    """{node: (x, y, width)}. A node's layer is one below the lowest of what flows in."""
    incoming = _incoming(graph)
    layer: dict[str, int] = {}
    for node in graph.nodes:  # nodes stand in the order in which they run
        layer[node.id] = 1 + max((layer[edge.source] for edge in incoming[node.id]), default=-1)
    wide = len(graph.modalities) * (_WIDTH + _GAP_X) - _GAP_X
    beside: Counter[int] = Counter()
    boxes: dict[str, tuple[float, float, float]] = {}
    for node in graph.nodes:
        column = 0
        if node.modality is not None:
            column = graph.modalities.index(node.modality)
        elif node.kind not in ("fusion", *_TRAINING):
            beside[layer[node.id]] += 1
            column = beside[layer[node.id]]
        x = MARGIN + column * (_WIDTH + _GAP_X)
        y = MARGIN + layer[node.id] * (_HEIGHT + _GAP_Y)
        boxes[node.id] = (x, y, wide if node.kind == "fusion" else _WIDTH)
    return boxes


def _draw_node(node: Node, box: tuple[float, float, float]) -> str:
    x, y, width = box
    middle, label = x + width / 2, escape(shorten(node.label))
    plugin = escape(shorten(node.plugin)) if node.plugin and node.plugin != node.label else escape(node.kind)
    return (
        f'<g><title>{escape(node.id)}</title><rect class="node {node.kind}" x="{x:g}" y="{y:g}" '
        f'width="{width:g}" height="{_HEIGHT}" rx="5"/>'
        f'<text x="{middle:g}" y="{y + 15:g}" text-anchor="middle">{label}</text>'
        f'<text class="small" x="{middle:g}" y="{y + 28:g}" text-anchor="middle">{plugin}</text></g>'
    )


def _draw_edge(edge: Edge, boxes: Mapping[str, tuple[float, float, float]]) -> str:
    (x1, y1, w1), (x2, y2, w2) = boxes[edge.source], boxes[edge.target]
    start, end = x1 + w1 / 2, x2 + w2 / 2
    if w1 != w2:  # between a wide fusion unit and a branch: straight down the branch's column
        start = end = start if w1 < w2 else end
    top, bottom = y1 + _HEIGHT, y2
    along = 0.5 if start == end else 0.8  # near its end, where lines that cross have parted
    x, y = start + along * (end - start), top + along * (bottom - top)
    return (
        f'<path class="edge" marker-end="url(#arrow)" d="M{start:g} {top:g} L{end:g} {bottom:g}"/>'
        f'<text class="small" x="{x + 5:g}" y="{y + 3:g}">'
        f"{escape(show_shape(edge.shape))}</text>"
    )


def shorten(text: str, longest: int = _LONGEST) -> str:
    """The text if it is not longer than that, else its beginning."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
