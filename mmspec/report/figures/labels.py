"""Names at their points, placed so that they cover neither each other nor what is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from mmspec.report.figures.shared import GREY, short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Boxes (K, 4): left, bottom, right, top; in points (1/72 inch) of the figure, unless said otherwise.
Boxes = NDArray[np.float64]

#: Right, left, above, below, then the diagonals.
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
#: How far a name may be from its point, in points.
_GAPS = (4, 9, 15, 22, 30, 40, 52, 66)
#: Room around a name, for fonts differ a little between formats; around the middle of a mark; of an arm.
_EDGE, _MARK, _ARM = 1.0, 3.2, 1.0
#: From here on a line leads from the name to its point.
_LED = 7.0
#: Cost of a square point of a name (or its line) on another name, on its line, and on what is drawn.
_ON_NAME, _ON_LINE, _ON_DRAWN = 100.0, 100.0, 4.0
#: Cost of a point away, and of a side later in the list.
_AWAY, _LATER = 1.0, 0.15
#: Rounds in which each name may move once more, when the others stand.
_ROUNDS = 4


@attrs.frozen(eq=False)
class _Place:
    """Where a name may stand: its box (1, 4), the small boxes (n, 4) of its line, and what it costs alone."""

    box: Boxes
    line: Boxes
    cost: float


def name_points(axes: Axes, at: Mapping[str, tuple[float, float]], drawn: Sequence[Sequence[float]]) -> None:
    """Write each name near its point `at`; call it last, since the limits stay as they are from here on.

    `drawn` are boxes (left, bottom, right, top) in the units of the data that names should not cover: points
    and arms. The same figure always gets the same places.
    """
    from matplotlib.transforms import Affine2D

    canvas = axes.get_figure(root=True)
    assert canvas is not None
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    corner: Any = {"textcoords": "offset points", "ha": "left", "va": "bottom", "zorder": 5}
    texts = [
        axes.annotate(name, at[label], (0, 0), fontsize=6.5, in_layout=False, parse_math=False, **corner)
        for label, name in short_names(at).items()
    ]
    canvas.draw_without_rendering()  # settles where the axes are and how large the names
    scale = 72 / canvas.dpi
    to_points = axes.transData + Affine2D().scale(scale)
    sizes = [np.array(text.get_window_extent().size) * scale + 2 * _EDGE for text in texts]
    corners = np.asarray(drawn, dtype=float).reshape(-1, 2)
    taken = to_points.transform(corners).reshape(-1, 4)
    room = np.where(np.ptp(taken.reshape(-1, 2, 2), axis=1).any(axis=1), _ARM, _MARK)
    taken += room[:, None] * np.array([-1, -1, 1, 1])
    anchors = to_points.transform(list(at.values()))
    frame = np.asarray(axes.get_window_extent().extents) * scale
    choices = [_candidates(anchor, size, frame) for anchor, size in zip(anchors, sizes, strict=True)]
    for text, anchor, place in zip(texts, anchors, _chosen(choices, taken), strict=True):
        (box,) = place.box
        text.set_position(tuple(box[:2] + _EDGE - anchor))
        if len(place.line):
            ends = np.stack([np.clip(anchor, box[:2] + _EDGE, box[2:] - _EDGE), anchor])
            axes.plot(*to_points.inverted().transform(ends).T, color=GREY, linewidth=0.5, zorder=1)


def _candidates(anchor: Boxes, size: Boxes, frame: Boxes) -> list[_Place]:
    """Places around a point, moved into the frame where they would leave it."""
    found = []
    for gap in _GAPS:
        for rank, side in enumerate(np.array(_SIDES, dtype=float)):
            away = gap * (0.7 if all(side) else 1.0)
            corner = anchor + side * (size / 2 + away) - size / 2
            corner = np.clip(corner, frame[:2] + 1, np.maximum(frame[2:] - 1 - size, frame[:2] + 1))
            near = np.clip(anchor, corner, corner + size)
            distance = float(np.hypot(*(near - anchor)))
            dots = np.linspace(near, anchor, 10)[1:-1] if distance > _LED else np.empty((0, 2))
            line = np.hstack([dots - 1.2, dots + 1.2])
            cost = _AWAY * distance + _LATER * rank
            found.append(_Place(np.concatenate([corner, corner + size])[None], line, cost))
    return found


def _chosen(choices: Sequence[Sequence[_Place]], taken: Boxes) -> list[_Place]:
    """The cheapest place of each name in turn, and again a few times when the others stand."""
    found: dict[int, _Place] = {}
    for _ in range(1 + _ROUNDS):
        before = dict(found)
        for index, places in enumerate(choices):
            others = [place for at, place in found.items() if at != index]
            costs = _costs(places, others, taken)
            found[index] = places[int(np.argmin(costs))]
        if found == before:
            break
    return list(found.values())


def _costs(places: Sequence[_Place], others: Sequence[_Place], taken: Boxes) -> Boxes:
    """What each place costs beside names that stand."""
    boxes = np.concatenate([place.box for place in places])
    lines = np.concatenate([place.line for place in places])
    owner = np.repeat(np.arange(len(places)), [len(place.line) for place in places])
    names = np.concatenate([np.empty((0, 4)), *(place.box for place in others)])
    leads = np.concatenate([np.empty((0, 4)), *(place.line for place in others)])
    costs = np.array([place.cost for place in places])
    costs += _ON_NAME * _overlap(boxes, names) + _ON_LINE * _overlap(boxes, leads)
    costs += _ON_DRAWN * _overlap(boxes, taken)
    crossed = _ON_LINE * (_overlap(lines, names) + _overlap(lines, leads))
    crossed += _ON_DRAWN * _overlap(lines, taken)
    return costs + np.bincount(owner, crossed, minlength=len(places))


def _overlap(boxes: Boxes, others: Boxes) -> Boxes:
    """The area of each of the boxes (K, 4) that the others cover, counted for each of them: (K,)."""
    wide, high = (
        np.minimum(boxes[:, None, at + 2], others[None, :, at + 2])
        - np.maximum(boxes[:, None, at], others[None, :, at])
        for at in (0, 1)
    )
    area: Boxes = np.sum(np.maximum(wide, 0) * np.maximum(high, 0), axis=1)
    return area
