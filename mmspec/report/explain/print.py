"""An explanation on the terminal: two columns; in a pipe a line for each fact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mmspec.report.explain.cell import Facts
from mmspec.report.explain.explanation import Explanation
from mmspec.report.text import one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


class Explained:
    """What a rich console prints of an explanation."""

    def __init__(self, explanation: Explanation) -> None:
        self.explanation = explanation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The parts with their facts."""
        del console, options
        yield Text(one_line(self.explanation.title), style="bold")
        for title, facts in self.explanation.parts:
            yield Text()
            yield Text(one_line(title), style="bold cyan")
            yield Padding(_grid(facts), (0, 0, 0, 2), expand=False)


def _grid(facts: Facts) -> Table:
    named = any(name for name, _ in facts)
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    if named:
        grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in facts:
        said = Text("\n".join(map(one_line, text.splitlines())))
        grid.add_row(*([one_line(name)] if named else []), said)
    return grid


def as_lines(explanation: Explanation) -> Iterator[str]:
    """The same for a pipe: each line says its part and its fact, parted by tabs."""
    yield one_line(explanation.title)
    for title, facts in explanation.parts:
        for name, text in facts:
            for line in text.splitlines() or [""]:
                yield "\t".join(map(one_line, (title, name, line)))
