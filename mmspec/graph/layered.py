"""Where the boxes of a layered drawing stand and how the lines between them run, so that none crosses a box.

A line that passes layers on its way has a place of its own in each. Places within layers are ordered so that
few lines cross (the barycentre method of Sugiyama, Tagawa & Toda 1981), and moved towards their neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from statistics import fmean

import attrs

_GAP_X, _LINE_WIDTH = 24, 8
#: Between layers: the least and the most, and how much more there is where a line goes far to the side.
_GAP_Y, _MOST_GAP_Y, _SLOPE = 36, 120, 0.07
_SWEEPS = 12

#: A box (its name,), or a place where a line passes a layer: (source, look, layer).
_Item = tuple[str, ...]
Point = tuple[float, float]


@attrs.frozen
class Box:
    """The size of a box."""

    width: float
    height: float


@attrs.frozen
class Link:
    """A line from one box to a later one; lines of one look from one box run together while they can."""

    source: str
    target: str
    look: str


@attrs.frozen
class Placed:
    """The upper left corners of the boxes, the points of each line, and the size of all.

    A line runs straight down from its first point to its second, is bent to the third, is straight to the
    fourth, and so on.
    """

    corners: Mapping[str, Point]
    paths: Sequence[Sequence[Point]]
    width: float
    height: float


def lay_out(boxes: Mapping[str, Box], links: Sequence[Link]) -> Placed:
    """Place boxes, which stand in an order in which links lead forward, and the links between them."""
    layer = _layers(boxes, links)
    routes = [_route(link, layer) for link in links]
    steps = {step for route in routes for step in pairwise(route)}
    rows = _ordered(_rows(boxes, layer, routes), steps)
    width = {item: boxes[item[0]].width if len(item) == 1 else _LINE_WIDTH for row in rows for item in row}
    centre = _centred(rows, steps, width)
    tops, bottoms = _bands(rows, steps, centre, boxes)
    corners = {name: (centre[(name,)] - box.width / 2, tops[layer[name]]) for name, box in boxes.items()}
    ends = _ends(links, routes, centre, boxes)
    paths = []
    for link, route, end in zip(links, routes, ends, strict=True):
        first = layer[link.source]
        x = centre[route[0]]
        path: list[Point] = [(x, tops[first] + boxes[link.source].height), (x, bottoms[first])]
        for depth, item in enumerate(route[1:-1], first + 1):
            path += [(centre[item], tops[depth]), (centre[item], bottoms[depth])]
        paths.append([*path, (end, tops[layer[link.target]])])
    right = max(centre[item] + width[item] / 2 for row in rows for item in row)
    return Placed(corners, paths, right, bottoms[-1])


def _layers(boxes: Mapping[str, Box], links: Sequence[Link]) -> dict[str, int]:
    """The layer of each box: below all that lead to it. What nothing leads to stands right above the rest."""
    sources, targets = defaultdict(list), defaultdict(list)
    for link in links:
        sources[link.target].append(link.source)
        targets[link.source].append(link.target)
    layer: dict[str, int] = {}
    for name in boxes:
        layer[name] = 1 + max((layer[source] for source in sources[name]), default=-1)
    for name in boxes:
        if not sources[name] and targets[name]:
            layer[name] = min(layer[target] for target in targets[name]) - 1
    return layer


def _route(link: Link, layer: Mapping[str, int]) -> tuple[_Item, ...]:
    """The places that a line passes, one in each layer."""
    between = range(layer[link.source] + 1, layer[link.target])
    return (link.source,), *((link.source, link.look, str(depth)) for depth in between), (link.target,)


def _rows(
    boxes: Mapping[str, Box], layer: Mapping[str, int], routes: Sequence[Sequence[_Item]]
) -> list[list[_Item]]:
    """The items of each layer."""
    rows: list[dict[_Item, None]] = [{} for _ in range(1 + max(layer.values()))]
    for name in boxes:
        rows[layer[name]][(name,)] = None
    for route in routes:
        for depth, item in enumerate(route, layer[route[0][0]]):
            rows[depth][item] = None
    return [list(row) for row in rows]


def _neighbours(steps: set[tuple[_Item, _Item]]) -> tuple[dict[_Item, list[_Item]], dict[_Item, list[_Item]]]:
    above, below = defaultdict(list), defaultdict(list)
    for upper, lower in sorted(steps):
        above[lower].append(upper)
        below[upper].append(lower)
    return above, below


def _ordered(rows: list[list[_Item]], steps: set[tuple[_Item, _Item]]) -> list[list[_Item]]:
    """The layers, each in an order with which few lines cross."""
    above, below = _neighbours(steps)
    best, fewest = rows, _crossings(rows, steps)
    rows = [list(row) for row in rows]
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        others = above if downwards else below
        for row in rows if downwards else reversed(rows):
            at = {item: place for each in rows for place, item in enumerate(each)}
            row.sort(key=lambda item: fmean([at[o] for o in others[item]] or [at[item]]))
        if (crossings := _crossings(rows, steps)) < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _crossings(rows: Sequence[Sequence[_Item]], steps: set[tuple[_Item, _Item]]) -> int:
    at = {item: (depth, place) for depth, row in enumerate(rows) for place, item in enumerate(row)}
    lines = [(at[upper], at[lower]) for upper, lower in steps]
    return sum(
        a[0] == c[0] and (a[1] - c[1]) * (b[1] - d[1]) < 0 for (a, b), (c, d) in combinations(lines, 2)
    )


def _centred(
    rows: Sequence[Sequence[_Item]], steps: set[tuple[_Item, _Item]], width: Mapping[_Item, float]
) -> dict[_Item, float]:
    """The middle of each item: near those of its neighbours, in the order of its layer, with gaps between."""
    above, below = _neighbours(steps)
    centre: dict[_Item, float] = {}
    for row in rows:
        spans = _spaced([0.0] * len(row), row, width)
        centre |= dict(zip(row, spans, strict=True))
    for _ in range(_SWEEPS):
        for row in (*rows, *reversed(rows)):
            near = [[centre[o] for o in above[i] + below[i]] for i in row]
            wanted = _beside([fmean(places) if places else None for places in near], row, width)
            centre |= dict(zip(row, _spaced(wanted, row, width), strict=True))
    left = min(centre[item] - width[item] / 2 for item in centre)
    return {item: round(x - left, 1) for item, x in centre.items()}


def _beside(
    wanted: Sequence[float | None], row: Sequence[_Item], width: Mapping[_Item, float]
) -> list[float]:
    """The wanted places, and for what is tied to nothing one beside the next item in the layer that is."""
    apart = [(width[a] + width[b]) / 2 + _GAP_X for a, b in pairwise(row)]
    found = list(wanted)
    for i, room in reversed(list(enumerate(apart))):
        if found[i] is None and (after := found[i + 1]) is not None:
            found[i] = after - room
    for i, room in enumerate(apart):
        if found[i + 1] is None and (before := found[i]) is not None:
            found[i + 1] = before + room
    if found[0] is None:  # nothing in this layer is tied to anything
        return _spaced([0.0] * len(row), row, width)
    return [place for place in found if place is not None]


def _spaced(wanted: Sequence[float], row: Sequence[_Item], width: Mapping[_Item, float]) -> list[float]:
    """Places near the wanted ones with room between: the mean of moving all to the right, and to the left."""
    apart = [(width[a] + width[b]) / 2 + _GAP_X for a, b in pairwise(row)]
    right, left = list(wanted), list(wanted)
    for i, room in enumerate(apart):
        right[i + 1] = max(right[i + 1], right[i] + room)
    for i, room in reversed(list(enumerate(apart))):
        left[i] = min(left[i], left[i + 1] - room)
    return [(a + b) / 2 for a, b in zip(right, left, strict=True)]


def _bands(
    rows: Sequence[Sequence[_Item]],
    steps: set[tuple[_Item, _Item]],
    centre: Mapping[_Item, float],
    boxes: Mapping[str, Box],
) -> tuple[list[float], list[float]]:
    """The top and the bottom of each layer, which is as high as its highest box."""
    tops, bottoms, y = [], [], 0.0
    for row in rows:
        tops.append(y)
        y += max(boxes[item[0]].height for item in row if len(item) == 1)
        bottoms.append(y)
        farthest = max((abs(centre[a] - centre[b]) for a, b in steps if a in row), default=0)
        y += round(min(_GAP_Y + _SLOPE * farthest, _MOST_GAP_Y))
    return tops, bottoms


def _ends(
    links: Sequence[Link],
    routes: Sequence[Sequence[_Item]],
    centre: Mapping[_Item, float],
    boxes: Mapping[str, Box],
) -> list[float]:
    """Where each line meets the top of its target: side by side, in the order in which they come."""
    arriving: dict[str, list[int]] = defaultdict(list)
    for number, link in enumerate(links):
        arriving[link.target].append(number)
    ends = [0.0] * len(links)
    for target, numbers in arriving.items():
        numbers.sort(key=lambda number: centre[routes[number][-2]])
        room = boxes[target].width * 0.6 / len(numbers)
        for place, number in enumerate(numbers):
            ends[number] = round(centre[(target,)] + room * (place - (len(numbers) - 1) / 2), 1)
    return ends
