"""`mmspec check`."""

from __future__ import annotations

from pathlib import Path

import click

from mmspec.cli.help import Command
from mmspec.cli.options import load_experiment, set_option, spec_argument
from mmspec.cli.trackers import say_missing
from mmspec.launch.prepare import check_graphs

EXAMPLE = """\
mmspec check specs/colored_digits.toml
mmspec check specs/colored_digits.toml --no-meta --set balancing.alpha=0.05
"""


@click.command(cls=Command, example=EXAMPLE)
@spec_argument()
@set_option
@click.option("--no-meta", is_flag=True, help="Do not build the networks on the meta device: no torch.")
def command(*, spec: Path, overrides: tuple[str, ...], no_meta: bool) -> None:
    """Check SPEC without running it: all its mistakes at once.

    Names, types, options and what fits together are checked first; then the network of every variant is
    built on the meta device, which finds mistakes of shape without data or memory.
    """
    experiment = load_experiment(spec, overrides)
    if not no_meta:
        check_graphs(experiment.plans)
    say_missing(experiment.plans)
    click.echo(f"{spec}: {click.style('fine', fg='green')}, {extent(experiment.plans)}")


def extent(plans: tuple[object, ...]) -> str:
    """How much a spec asks for."""
    return "1 run" if len(plans) == 1 else f"{len(plans)} runs"
