"""The graph of a run's stages: what each does, and what it takes of earlier ones; as text, Mermaid and SVG.

It is made of resolved specs, so that it can be drawn of a plan and of a run that was recorded anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Literal

import attrs

from mmspec.graph.draw import MARGIN, mermaid_text, picture, shorten
from mmspec.graph.layered import Box, Link, Placed, lay_out
from mmspec.plugins.recorded import StageKind, kind_of_stage

#: The most that a box may be wide, and how wide letters are, as a rule: of its name, of other lines.
_WIDEST, _NARROWEST, _LETTER, _SMALL_LETTER = 280, 100, 7.4, 5.7
_LINE, _PAD, _TITLE = 13, 8, 14


@attrs.frozen
class Input:
    """What a stage takes of an earlier one: `name` is what it calls it, `remark` which part of it, or how."""

    kind: Literal["weights", "reads"]
    stage: str
    name: str
    remark: str = ""
    shuffled: bool = False

    @property
    def words(self) -> str:
        """E.g. `weights ← animals, but branches.*.head.*`."""
        return f"{self.name} ← {self.stage}" + (f", {self.remark}" if self.remark else "")


@attrs.frozen
class StageNode:
    """One stage: what it does in words, its dataset and network, and what it takes of earlier stages."""

    name: str
    kind: StageKind
    does: str
    data: str = ""
    network: str = ""
    inputs: tuple[Input, ...] = ()

    @property
    def lines(self) -> list[str]:
        """All there is to say below its name."""
        about = (self.does, self.data, self.network)
        return [*(line for line in about if line), *(each.words for each in self.inputs)]


def stage_graph(stages: Iterable[Mapping[str, Any]]) -> tuple[StageNode, ...]:
    """The stages of a run, by their resolved specs, in the order in which they run.

    Specs may be recorded ones that others have written: what names no earlier stage is passed over.
    """
    nodes: dict[str, StageNode] = {}
    for stage in stages:
        node = _node(stage)
        nodes[node.name] = attrs.evolve(node, inputs=tuple(i for i in node.inputs if i.stage in nodes))
    return tuple(nodes.values())


def as_text(nodes: Sequence[StageNode]) -> str:
    """A line for each stage, and below it one for each thing that it takes of earlier ones."""
    rows = [(node.name, node.does, " → ".join(filter(None, (node.data, node.network)))) for node in nodes]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = [f"{len(nodes)} stages"]
    for node, (name, does, of) in zip(nodes, rows, strict=True):
        lines.append(f"  {name:<{widths[0]}}  {does:<{widths[1]}}  {of}".rstrip())
        lines += [f"  {'':<{widths[0]}}    {each.words}" for each in node.inputs]
    return "\n".join(lines)


def as_mermaid(nodes: Sequence[StageNode]) -> str:
    """A Mermaid flowchart: what is read comes along dotted lines."""
    number = {node.name: f"s{i}" for i, node in enumerate(nodes)}
    lines = ["flowchart TD"]
    for node in nodes:
        shown = filter(None, (node.name, node.does, node.data, node.network))
        lines.append(f'  {number[node.name]}["{"<br/>".join(map(mermaid_text, shown))}"]')
    for node in nodes:
        for each in node.inputs:
            begin, end = ("--", "-->") if each.kind == "weights" else ("-.", ".->")
            label = mermaid_text(", ".join(filter(None, (each.name, each.remark))))
            lines.append(f'  {number[each.stage]} {begin} "{label}" {end} {number[node.name]}')
    return "\n".join(lines)


def as_svg(nodes: Sequence[StageNode]) -> str:
    """A layered drawing: each stage below those that it takes something of."""
    boxes = {node.name: _size(node) for node in nodes}
    inputs = [(node.name, each) for node in nodes for each in node.inputs]
    links = [Link(each.stage, target, _look(each)) for target, each in inputs]
    placed = lay_out(boxes, links)
    legend = _legend(inputs, placed.height)
    parts = [
        *(_edge(each, target, path) for (target, each), path in zip(inputs, placed.paths, strict=True)),
        *(_box(node, boxes[node.name], placed) for node in nodes),
        *legend,
    ]
    right = max(placed.width, _LEGEND_WIDTH * len(legend)) + 2 * MARGIN
    bottom = placed.height + 2 * MARGIN + (_LEGEND_HEIGHT if legend else 0)
    return picture(f"{len(nodes)} stages of a run", right, bottom, parts)


# ---------------------------------------------------------------- from a resolved spec


def _node(stage: Mapping[str, Any]) -> StageNode:
    return StageNode(
        str(stage["name"]),
        kind_of_stage(stage),
        _does(stage),
        _use(stage.get("dataset")),
        _network(stage),
        tuple(_inputs(stage)),
    )


def _does(stage: Mapping[str, Any]) -> str:
    kind = kind_of_stage(stage)
    if kind == "analyses":
        return f"analysis {_use(stage.get('analysis'))}"
    extract = stage.get("extract")
    if kind == "extracts" and isinstance(extract, Mapping):
        of = f" of {extract['modality']}" if extract.get("modality") else ""
        pooled = ", its mean over space" if extract.get("pool") == "mean" else ""
        return f"extracts {extract.get('layer', 'features')}{of}{pooled}"
    train = stage.get("train")
    epochs = train.get("epochs") if isinstance(train, Mapping) else None
    if kind != "trains" or epochs is None:
        return str(kind)
    return f"trains, {epochs} {'epoch' if epochs == 1 else 'epochs'}"


def _use(table: Any) -> str:
    return str(table.get("use", "")) if isinstance(table, Mapping) else ""


def _network(stage: Mapping[str, Any]) -> str:
    """Its backbones, each once, and what fuses them."""
    branches = stage.get("modalities")
    tables = branches.values() if isinstance(branches, Mapping) else ()
    backbones = dict.fromkeys(_use(table.get("backbone")) for table in tables if isinstance(table, Mapping))
    parts = [name for name in (*backbones, _use(stage.get("fusion"))) if name]
    return " + ".join(parts)


def _inputs(stage: Mapping[str, Any]) -> Iterator[Input]:
    for part in (stage.get("init_from"), *(stage.get("assemble") or ())):
        if not isinstance(part, Mapping):
            continue
        include, exclude = part.get("include", ["*"]), part.get("exclude", ())
        only = "" if list(include) == ["*"] else f"only {', '.join(include)}"
        but = f"but {', '.join(exclude)}" if exclude else ""
        remark = " ".join(filter(None, (only, but)))
        yield Input("weights", str(part.get("stage")), "weights", remark)
    for name, read in (stage.get("reads") or {}).items():
        by = read.get("shuffle")
        how = f"shuffled ({by}, seed {read.get('seed', 0)})" if by else ""
        yield Input("reads", str(read.get("stage")), str(name), how, shuffled=bool(by))


# ---------------------------------------------------------------- the drawing

_LEGEND_HEIGHT, _LEGEND_WIDTH = 26, 110


def _size(node: StageNode) -> Box:
    wide = max(_reach(node.name, _LETTER), *(_reach(line, _SMALL_LETTER) for line in node.lines))
    width = min(max(wide + 2 * _PAD, _NARROWEST), _WIDEST)
    return Box(width, _TITLE + _LINE * len(node.lines) + 2 * _PAD)


def _reach(text: str, letter: float) -> float:
    """About how wide a text is; a few letters are much wider than the rest."""
    return letter * (len(text) + 0.75 * sum(text.count(wide) for wide in "MWmw@%"))


def _fitted(text: str, letter: float) -> str:
    """As much of a text as a box may hold."""
    longest = len(text)
    while _reach(shorten(text, longest), letter) > _WIDEST - 2 * _PAD:
        longest -= 1
    return shorten(text, longest)


def _look(each: Input) -> str:
    return "shuffled" if each.shuffled else each.kind


def _box(node: StageNode, box: Box, placed: Placed) -> str:
    x, y = placed.corners[node.name]
    x, y = x + MARGIN, y + MARGIN
    middle, top = x + box.width / 2, y + _PAD + 10
    lines = "".join(
        f'<text class="small" x="{middle:g}" y="{top + 2 + _LINE * i:g}" text-anchor="middle">'
        f"{escape(_fitted(line, _SMALL_LETTER))}</text>"
        for i, line in enumerate(node.lines, 1)
    )
    whole = "\n".join([node.name, *node.lines])
    return (
        f'<g><title>{escape(whole)}</title><rect class="node {node.kind}" x="{x:g}" y="{y:g}" '
        f'width="{box.width:g}" height="{box.height:g}" rx="5"/>'
        f'<text class="name" x="{middle:g}" y="{top:g}" text-anchor="middle">'
        f"{escape(_fitted(node.name, _LETTER))}</text>{lines}</g>"
    )


def _edge(each: Input, target: str, path: Sequence[tuple[float, float]]) -> str:
    """A line down: straight through layers, bent between them; `path` are the ends of its straight parts."""
    points = [(x + MARGIN, y + MARGIN) for x, y in path]
    (x, y), *rest = points
    drawn = [f"M{x:g} {y:g}"]
    for i, (to_x, to_y) in enumerate(rest):
        middle = (y + to_y) / 2
        straight = i % 2 == 0 or to_x == x
        drawn.append(
            f"L{to_x:g} {to_y:g}" if straight else f"C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"
        )
        x, y = to_x, to_y
    return (
        f'<path class="edge {_look(each)}" marker-end="url(#arrow)" d="{" ".join(drawn)}">'
        f"<title>{escape(f'{target}: {each.words}')}</title></path>"
    )


def _legend(inputs: Iterable[tuple[str, Input]], below: float) -> list[str]:
    """What the kinds of lines mean that there are."""
    there = {_look(each) for _, each in inputs}
    y = below + MARGIN + _LEGEND_HEIGHT
    said = {"weights": "weights", "reads": "what is read", "shuffled": "read shuffled"}
    shown = [(look, words) for look, words in said.items() if look in there]
    return [
        f'<path class="edge {look}" d="M{MARGIN + _LEGEND_WIDTH * i} {y - 3:g} h26"/>'
        f'<text class="small" x="{MARGIN + _LEGEND_WIDTH * i + 32}" y="{y:g}">{words}</text>'
        for i, (look, words) in enumerate(shown)
    ]
