"""`mmspec execute`: what a launcher starts."""

from __future__ import annotations

from pathlib import Path

import click

from mmspec.cli.help import Command


@click.command(cls=Command, hidden=True, example="mmspec execute runs/colored_digits/guided-s0-1a2b3c4d")
@click.argument("run_dir", type=click.Path(path_type=Path))
def command(run_dir: Path) -> int:
    """Work on one run directory until it is finished; go on where an earlier process stopped."""
    from mmspec.launch.execute import execute

    return execute(run_dir)
