"""What is shown while data are packed or checked: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from mmspec.data.pack_format import Follow, Progress

#: Seconds between two lines.
_LINE_EVERY = 10.0


@contextmanager
def following() -> Iterator[Follow]:
    """Gives what is to be told of progress."""
    console = Console(highlight=False)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(binary_units=True))
    with Bars(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        task = bars.add_task("", total=None, visible=False)
        yield lambda progress: bars.update(
            task,
            description=progress.what,
            completed=progress.done,
            total=progress.total or None,
            visible=True,
        )


def _lines() -> Follow:
    """A line now and then, none about what is done at once."""
    before = time.monotonic()

    def follow(progress: Progress) -> None:
        nonlocal before
        if time.monotonic() - before >= _LINE_EVERY:
            before = time.monotonic()
            click.echo(str(progress))

    return follow
