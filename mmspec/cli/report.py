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
mmspec report reports/colored_digits.toml --site site
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
@click.option(
    "--site",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a static site to this folder instead: the report, a page for each run, and comparisons.",
)
def command(
    *, report: Path, runs: Path, out: Path | None, formats: tuple[str, ...], site: Path | None
) -> None:
    """Turn runs into the tables and figures that the definition REPORT describes."""
    if site is not None:
        if out or formats:
            raise click.UsageError(
                "--site writes a site alone: give --out and --format in a command of their own"
            )
        _write_site(report, runs, site)
        return
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


def _write_site(report: Path, runs: Path, folder: Path) -> None:
    """Write the report as a site, and say how to open it."""
    from mmspec.report.render import make_document
    from mmspec.report.site import write_site
    from mmspec.report.terminal import Terminal

    document = make_document(report, runs_root=runs, folder=folder, registry=open_registry())
    made = write_site(document, folder)
    Console(width=None if sys.stdout.isatty() else 400, highlight=False).print(Terminal(document))
    gone = f", {made.removed} removed" if made.removed else ""
    click.echo(f"wrote a site of {made.runs} runs: {made.wrote} of {made.files} files new or changed{gone}")
    click.echo(f"open it: {made.start.resolve().as_uri()}")
