"""Where each key and value of a TOML text stands.

tomli tells no positions. This scanner reads text that tomli has accepted already, so it checks nothing:
it only walks over keys, values, headers and comments, and notes their offsets.
"""

from __future__ import annotations

import re

import attrs
import tomli

#: The path of a value: keys of tables and indices of arrays, from the root.
Path = tuple[str | int, ...]

#: Tables and lists inside each other; more than any spec needs, few enough for any recursion.
DEEPEST = 32

_BLANK = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|\'[^\']*\'')
_SCALAR = re.compile(
    r'"""(?s:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''(?s:.)*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]+"
    r"|[^\s,\]}#]+"
)


class TooDeepError(Exception):
    """The text nests deeper than `DEEPEST`, at offset `start`."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.start = start


@attrs.define
class Span:
    """Offsets and widths of a key (None in arrays) and of its value; a table's value is its header."""

    key: tuple[int, int] | None
    value: tuple[int, int]


def scan(text: str) -> dict[Path, Span]:
    """The spans of all keys and array items of `text`, valid TOML whose lines end in a line feed alone.

    Raises:
        TooDeepError: tables or arrays are nested too deep.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.spans


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.spans: dict[Path, Span] = {}
        self._items: dict[Path, int] = {}  # length so far of each array of tables
        self._implicit: set[Path] = set()  # tables seen only on the way to others

    def document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self._header(2)
            elif self.text[self.at] == "[":
                table = self._header(1)
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if not found:
            raise AssertionError(f"text that is no TOML at offset {self.at}")
        self.at = found.end()
        return found.group()

    def _dotted(self) -> list[tuple[str, tuple[int, int]]]:
        """A dotted key: each part with its span; stops behind it."""
        parts = []
        while True:
            self._skip(_SPACE)
            start = self.at
            raw = self._skip(_KEY)
            parts.append((_unquoted(raw), (start, len(raw))))
            if len(parts) > DEEPEST:
                raise TooDeepError(start)
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _header(self, brackets: int) -> Path:
        self.at += brackets
        parts = self._dotted()
        self.at += brackets
        path: Path = ()
        for name, span in parts[:-1]:
            path = self._into((*path, name), span)
        name, span = parts[-1]
        path = (*path, name)
        if brackets == 1:
            if path not in self.spans or path in self._implicit:
                self.spans[path] = Span(span, span)
                self._implicit.discard(path)
            return path
        self.spans.setdefault(path, Span(span, span))
        index = self._items.get(path, 0)
        self._items[path] = index + 1
        self.spans[*path, index] = Span(None, span)
        return (*path, index)

    def _into(self, path: Path, span: tuple[int, int]) -> Path:
        """The table at `path`, noted if new; of an array of tables, its last."""
        if path not in self.spans:
            self.spans[path] = Span(span, span)
            self._implicit.add(path)
        return (*path, self._items[path] - 1) if path in self._items else path

    def _pair(self, table: Path) -> None:
        parts = self._dotted()
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        path = table
        for name, span in parts[:-1]:
            path = self._into((*path, name), span)
        name, span = parts[-1]
        self._value((*path, name), span)

    def _value(self, path: Path, key: tuple[int, int] | None) -> None:
        start = self.at
        if len(path) > DEEPEST:
            raise TooDeepError(start)
        self.spans[path] = span = Span(key, (start, 1))
        if self.text[start] == "[":
            self._array(path)
        elif self.text[start] == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)
        span.value = (start, self.at - start)

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._more("]"):
            self._value((*path, index), None)
            index += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self._more("}"):
            self._pair(path)

    def _more(self, closing: str) -> bool:
        """Whether another item follows; steps over what separates items, or over the closing bracket."""
        self._skip(_BLANK)
        if self.text[self.at] == ",":
            self.at += 1
            self._skip(_BLANK)
        if self.text[self.at] != closing:
            return True
        self.at += 1
        return False


def _unquoted(raw: str) -> str:
    if raw[0] == "'":
        return raw[1:-1]
    if raw[0] == '"':
        return str(tomli.loads(f"k = {raw}")["k"]) if "\\" in raw else raw[1:-1]
    return raw
