"""Tables that are too wide come in parts, below each other; heads above columns stay with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from mmspec.report.grid import Grid

#: Columns from a first to before a last, counted without the labels of the rows.
Part = tuple[int, int]


@attrs.frozen
class Room:
    """`widths` are those of the labels and the columns, `gap` is between them, `width` what there is."""

    widths: Sequence[int]
    gap: int
    width: int

    def total(self, widths: Sequence[int]) -> int:
        """The width of neighbouring columns."""
        return sum(widths) + self.gap * (len(widths) - 1)

    def needed(self, part: Part) -> int:
        """The width of a part, with the labels of the rows."""
        first, last = part
        return self.widths[0] + self.gap + self.total(self.widths[first + 1 : last + 1])


def parts_of(grid: Grid, room: Room) -> list[Part]:
    """Parts that fit, each of as many columns as can be; a column that is too wide alone is a part."""
    parts: list[Part] = []
    for first, last in _units(grid, room, 0, (0, len(grid.columns))):
        if parts and room.needed((parts[-1][0], last)) <= room.width:
            parts[-1] = (parts[-1][0], last)
        else:
            parts.append((first, last))
    return parts


def _units(grid: Grid, room: Room, level: int, within: Part) -> Iterator[Part]:
    """What is not parted: columns below one head, but for those that alone are too wide."""
    at = within[0]
    for head, span in grid.part(*within).heads(level):
        unit = (at, at + span)
        at += span
        if not head:
            yield from ((i, i + 1) for i in range(*unit))
        elif span == 1 or room.needed(unit) <= room.width:
            yield unit
        else:
            yield from _units(grid, room, level + 1, unit)
