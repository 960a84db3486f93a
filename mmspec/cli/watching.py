"""What `mmspec report --watch` shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection
from pathlib import Path

import click
from rich.console import Console

from mmspec.cli.terminal import show_problems
from mmspec.errors import MmspecError
from mmspec.plugins.registry import Registry
from mmspec.report.document import Document
from mmspec.report.formats.terminal import Terminal
from mmspec.report.render import make_document, write_document
from mmspec.report.watch import Told, Watcher, watch

#: Most runs that are named at a time.
_MOST = 20


def watch_report(report: Path, runs: Path, out: Path, formats: Collection[str], registry: Registry) -> None:
    """Write a report, and write it again whenever its runs or its files change, until Ctrl-C."""

    def make(_: bool) -> Document:  # sources ask what has changed whenever they are read
        return make_document(report, runs_root=runs, folder=out, registry=registry)

    def tell(told: Told) -> None:
        _tell(told, out, formats)

    click.echo(f"watching {report}; Ctrl-C ends")
    try:
        watch(Watcher(report, runs, registry, make), tell)
    except KeyboardInterrupt:
        click.echo()


def _tell(told: Told, out: Path, formats: Collection[str]) -> None:
    """What has changed, the tables on a terminal, and what was written; or what is wrong."""
    now = time.strftime("%H:%M:%S")
    if told.document is None:
        show_problems(told.problems)
        click.echo(f"{now}  waiting")
        return
    for line in told.changes[:_MOST]:
        click.secho(line, fg="green" if line.startswith("+") else None)
    if len(told.changes) > _MOST:
        click.echo(f"… and {len(told.changes) - _MOST} more")
    try:
        files = list(write_document(told.document, out, formats))
    except MmspecError as error:
        show_problems(error.problems)
        return
    if sys.stdout.isatty():
        Console(highlight=False).print(Terminal(told.document))
    click.echo(f"{now}  wrote {len(files)} files to {out}")
