"""`mmspec report`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from mmspec.cli.help import Command
from mmspec.cli.options import complete_toml, open_registry, runs_option
from mmspec.report import FORMATS, Report, default_folder, render_report

EXAMPLE = """\
mmspec report reports/colored_digits.toml
mmspec report reports/colored_digits.toml --format latex --format svg --out paper
mmspec report reports/colored_digits.toml --site site
mmspec report reports/colored_digits.toml --explain guided "Test accuracy, shifted"
mmspec report reports/colored_digits.toml --to wandb://lab/digits
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
@click.option(
    "--explain",
    nargs=2,
    metavar="ROW COLUMN",
    help="Write nothing; print all that is behind this cell. COLUMN is a head or a metric.",
)
@click.option("--table", metavar="TABLE", help="Of --explain: the number of the table, from 1, or its title.")
@click.option(
    "--to",
    metavar="TARGET",
    help="Publish it as well: wandb://entity/project, or wandb for the project that the runs are in.",
)
@click.option("--watch", is_flag=True, help="Write the report again whenever its runs or its files change.")
@click.option("--refresh", is_flag=True, help="Ask services such as W&B again for what is in the cache.")
def command(
    *,
    report: Path,
    runs: Path,
    out: Path | None,
    formats: tuple[str, ...],
    site: Path | None,
    explain: tuple[str, str] | None,
    table: str | None,
    to: str | None,
    watch: bool,
    refresh: bool,
) -> None:
    """Turn runs into the tables and figures that the definition REPORT describes."""
    if table is not None and explain is None:
        raise click.UsageError("--table says where --explain looks: give both")
    if refresh and (explain or watch):
        raise click.UsageError("--refresh is for a report that is made once")
    if to is not None and (explain or watch or site):
        raise click.UsageError("--to publishes what is written: it goes with --out, --format and --runs")
    if explain is not None:
        if watch or site or out or formats:
            raise click.UsageError("--explain writes nothing: it goes with --table and --runs alone")
        from mmspec.cli.explaining import show_explanation

        show_explanation(report, runs, explain, table, registry=open_registry())
        return
    if watch:
        if site is not None:
            raise click.UsageError("--watch does not write sites")
        from mmspec.cli.watching import watch_report

        watch_report(report, runs, out or default_folder(report), formats or FORMATS, open_registry())
        return
    if site is not None:
        if out or formats:
            raise click.UsageError(
                "--site writes a site alone: give --out and --format in a command of their own"
            )
        _write_site(report, runs, site, refresh=refresh)
        return
    publish = _publisher(to) if to is not None else None
    made = render_report(
        report,
        runs_root=runs,
        out=out or default_folder(report),
        formats=formats or FORMATS,
        registry=open_registry(),
        refresh=refresh,
    )
    Console(width=None if sys.stdout.isatty() else 400, highlight=False).print(made.terminal())
    for path in made.files:
        click.echo(f"wrote {path}")
    if publish is not None:
        publish(made)


def _publisher(to: str) -> Callable[[Report], None]:
    """What publishes a report to this place; refuses a place that cannot be, before anything is made."""
    from mmspec.report.to_wandb import parse_target, to_wandb

    target = parse_target(to)

    def publish(made: Report) -> None:
        address = to_wandb(made.document, made.files, target, say=lambda line: click.echo(line, err=True))
        click.echo(f"published {address}")

    return publish


def _write_site(report: Path, runs: Path, folder: Path, *, refresh: bool) -> None:
    """Write the report as a site, and say how to open it."""
    from mmspec.report.formats.terminal import Terminal
    from mmspec.report.render import make_document
    from mmspec.report.site import write_site

    document = make_document(report, runs_root=runs, folder=folder, registry=open_registry(), refresh=refresh)
    made = write_site(document, folder)
    Console(width=None if sys.stdout.isatty() else 400, highlight=False).print(Terminal(document))
    gone = f", {made.removed} removed" if made.removed else ""
    click.echo(f"wrote a site of {made.runs} runs: {made.wrote} of {made.files} files new or changed{gone}")
    click.echo(f"open it: {made.start.resolve().as_uri()}")
