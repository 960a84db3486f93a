"""`mmspec report`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from mmspec.cli.help import Command
from mmspec.cli.options import complete_toml, open_registry, runs_option
from mmspec.report import FORMATS, default_folder, render_report

EXAMPLE = """\
mmspec report reports/colored_digits.toml
mmspec report reports/colored_digits.toml --format latex --format svg --out paper
"""


@click.command(cls=Command, example=EXAMPLE)
@click.argument("report", type=click.Path(path_type=Path), shell_complete=complete_toml)
@runs_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to.  [default: output/<name of REPORT>]",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    help="Write only this; may be given often.  [default: all]",
)
def command(*, report: Path, runs: Path, out: Path | None, formats: tuple[str, ...]) -> None:
    """Turn runs into the tables and figures that the definition REPORT describes."""
    made = render_report(
        report,
        runs_root=runs,
        out=out or default_folder(report),
        formats=formats or FORMATS,
        registry=open_registry(),
    )
    Console(width=None if sys.stdout.isatty() else 400, highlight=False).print(made.terminal())
    for path in made.files:
        click.echo(f"wrote {path}")
