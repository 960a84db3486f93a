"""Texts that people wrote, and places in them."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

import attrs

from mmspec.errors import Location

#: Lines longer than this are not shown: the caret would be off every screen.
_LONGEST_SHOWN = 200


@attrs.define(eq=False, slots=False)
class Source:
    """One text: a file, or an override. `first_line` is the number of its first line."""

    file: str
    text: str
    first_line: int = 1

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        while (found := self.text.find("\n", starts[-1])) >= 0:
            starts.append(found + 1)
        return starts

    def locate(self, start: int, width: int = 1) -> Location:
        """The place of `width` characters from offset `start`, as a person sees it; below 0: the file."""
        if start < 0:
            return Location(self.file)
        line = bisect_right(self._starts, start) - 1
        begin = self._starts[line]
        end = self.text.find("\n", begin)
        text = self.text[begin : end if end >= 0 else None].rstrip("\r")
        column = start - begin + 1
        width = max(1, min(width, len(text) - column + 1))
        return Location(self.file, line + self.first_line, column, width, _shown(text))


@attrs.frozen(eq=False)
class Place:
    """`width` characters from offset `start` of a source; a `Location` is made only when it is asked for."""

    source: Source
    start: int
    width: int = 1

    def location(self) -> Location:
        """The place as line and column."""
        return self.source.locate(self.start, self.width)


def _shown(text: str) -> str:
    """A line as it can be printed under a caret: one cell a character, nothing that moves the cursor."""
    if len(text) > _LONGEST_SHOWN:
        return ""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
