"""Tables as lists of dicts, for loops, pandas and polars; they show themselves in terminals and notebooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from html import escape
from itertools import islice
from typing import Any

from mmspec.report.definition import shown
from mmspec.report.text import one_line

#: How much of a table is shown: rows, columns, characters of a line, and of a cell.
_ROWS, _COLUMNS, _WIDTH, _CELL = 20, 24, 110, 28

_PLAIN = frozenset({str, int, float, bool, type(None)})

Row = dict[str, Any]


class Rows(list[Row]):
    """Rows with the same keys: a list of plain dicts. A key without a value is there as None.

    All values of a key have one type: whole numbers among others become floats, and numbers among words
    become words. Lists and tables are JSON text.
    """

    def __init__(
        self, rows: Iterable[Mapping[str, Any]], keys: Iterable[str], *, hidden: Iterable[str] = ()
    ) -> None:
        """Even out `rows`; `keys` are the columns in their order, whether or not a row has them.

        A reader is not shown the `hidden` columns, nor those that are the same in all rows.
        """
        self._keys = tuple(dict.fromkeys(keys))
        self._hidden = frozenset(hidden)
        filled = [{key: _plain(row.get(key)) for key in self._keys} for row in rows]
        for key, turn in _conversions(filled, self._keys).items():
            for row in filled:
                if row[key] is not None:
                    row[key] = turn(row[key])
        super().__init__(filled)

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The same as columns: each a list with a value for every row."""
        return {key: [row[key] for row in self] for key in self._keys}

    @property
    def summary(self) -> str:
        """What this is, in a line."""
        return f"{_count(len(self), 'row')} × {_count(len(self._keys), 'column')}"

    def __repr__(self) -> str:
        """The summary, and as much of the table as is easily read."""
        columns = [_lines(key, [row[key] for row in islice(self, _ROWS)]) for key in self._shown()]
        fitting, width = 0, 0
        for column in columns:
            width += len(column[0]) + 2
            if width > _WIDTH:
                break
            fitting += 1
        lines = ["  ".join(line).rstrip() for line in zip(*columns[:fitting], strict=True)]
        return "\n".join([one_line(self.summary), *lines, *self._rest(fitting)])

    def _shown(self) -> list[str]:
        """The columns that tell the rows apart."""
        varying = [key for key in self._keys if len(self) == 1 or len({row[key] for row in self}) > 1]
        return [key for key in varying if key not in self._hidden] or varying

    def _rest(self, columns: int) -> list[str]:
        """What of the table is not shown, in words."""
        rows, hidden = len(self) - _ROWS, len(self._keys) - columns
        said = [_count(rows, "more row")] if rows > 0 else []
        said += [_count(hidden, "more column")] if hidden > 0 and self else []
        return [f"… {' and '.join(said)}"] if said else []

    def _repr_html_(self) -> str:
        """The table for notebooks, which style it, light or dark, as they do others."""
        keys = self._shown()[:_COLUMNS]
        head = "".join(
            f'<th scope="col"{_side([row[key] for row in self])}>{_html(key)}</th>' for key in keys
        )
        body = "".join(
            f"<tr>{''.join(f'<td{_side([row[key]])}>{_html(_text(row[key]))}</td>' for key in keys)}</tr>"
            for row in islice(self, _ROWS)
        )
        begin = '<table class="dataframe" style="white-space: nowrap">'
        table = f"{begin}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if self else ""
        rest = "".join(f"<p>{_html(line)}</p>" for line in self._rest(len(keys)))
        return f'<p>{_html(self.summary)}</p><div style="overflow-x: auto">{table}</div>{rest}'


def _plain(value: Any) -> Any:
    return value if type(value) in _PLAIN else json.dumps(value, ensure_ascii=False, default=str)


def _conversions(rows: list[Row], keys: Iterable[str]) -> dict[str, Callable[[Any], Any]]:
    """For each column whose values are of several types: what makes them one."""
    found: dict[str, Callable[[Any], Any]] = {}
    for key in keys:
        types = {type(row[key]) for row in rows} - {type(None)}
        if len(types) > 1:
            found[key] = float if types == {int, float} else shown
    return found


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else shown(value)


def _lines(key: str, values: list[Any]) -> list[str]:
    """A column of equally long texts, its head first; numbers to the right."""
    texts = [
        text if len(text) <= _CELL else text[: _CELL - 1] + "…" for text in map(one_line, map(_text, values))
    ]
    number = _are_numbers(values)
    head = one_line(key)
    width = max(map(len, (head, *texts)))
    return [text.rjust(width) if number else text.ljust(width) for text in (head, *texts)]


def _are_numbers(values: Iterable[Any]) -> bool:
    return all(value is None or isinstance(value, int | float) for value in values)


def _side(values: Iterable[Any]) -> str:
    """Numbers to the right, words to the left, whatever the notebook does by itself."""
    return f' style="text-align: {"right" if _are_numbers(values) else "left"}"'


def _html(text: str) -> str:
    return escape(one_line(text), quote=True)
