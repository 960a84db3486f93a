"""What `mmspec report --explain` prints."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from mmspec.plugins.registry import Registry
from mmspec.report.explain.explanation import explain
from mmspec.report.explain.print import Explained, as_lines
from mmspec.report.render import make_document


def show_explanation(
    report: Path, runs: Path, cell: tuple[str, str], table: str | None, *, registry: Registry
) -> None:
    """Print what is behind a cell of a report: (row, column)."""
    document = make_document(report, runs_root=runs, folder=Path.cwd(), registry=registry, draw=False)
    explanation = explain(document, *cell, table)
    if sys.stdout.isatty():
        Console(highlight=False).print(Explained(explanation))
        return
    for line in as_lines(explanation):
        click.echo(line)
