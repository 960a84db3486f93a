"""A report in Python: its tables, and all of it in a notebook."""

from __future__ import annotations

import io
from html import escape
from pathlib import Path

import attrs
from rich.console import Console

from mmspec.plugins.registry import Registry
from mmspec.report.document import Document
from mmspec.report.formats import html
from mmspec.report.formats.terminal import Terminal
from mmspec.report.grid import Grid
from mmspec.report.render import default_folder, make_document


@attrs.frozen(eq=False)
class Report:
    """A report that is made, and not written. A notebook shows all of it, `print` its tables and notes."""

    document: Document

    @property
    def title(self) -> str:
        """The title."""
        return self.document.definition.title

    @property
    def tables(self) -> list[Grid]:
        """The tables and leaderboards in order, as every format shows them."""
        return [block.grid for block in self.document.grids]

    def html(self) -> str:
        """The page that `mmspec report` writes: it needs no other file."""
        return html.render(self.document)

    def __repr__(self) -> str:
        return f"<Report {self.title}: {len(self.tables)} tables, {len(self.document.pictures)} figures>"

    def __str__(self) -> str:
        file = io.StringIO()
        Console(file=file, width=400, highlight=False).print(Terminal(self.document))
        return file.getvalue()

    def _repr_html_(self) -> str:
        """The page in a frame, so that its style and the notebook's leave each other alone."""
        frame = "width: 100%; height: 44rem; border: 0; resize: vertical; overflow: auto"
        return (
            f'<iframe srcdoc="{escape(self.html(), quote=True)}" title="{escape(self.title, quote=True)}" '
            f'sandbox="allow-popups" style="{frame}"></iframe>'
        )


def load_report(
    path: str | Path,
    *,
    runs: str | Path = "runs",
    refresh: bool = False,
    registry: Registry | None = None,
) -> Report:
    """The report that the definition at `path` asks for; nothing is written.

    `runs` is the folder of run directories. `refresh` asks services again for what is in the cache.

    Raises:
        ReportError: the definition is wrong, or asks for what the runs do not hold.
    """
    path = Path(path)
    document = make_document(
        path, runs_root=Path(runs), folder=default_folder(path), registry=registry, refresh=refresh
    )
    return Report(document)
