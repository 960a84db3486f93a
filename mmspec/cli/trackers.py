"""What trackers of a spec miss on this machine, said before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

import click

from mmspec.plugins.plan import RunPlan


def say_missing(plans: Iterable[RunPlan]) -> None:
    """Say once what each tracker does not find; runs go on without it."""
    found = {
        problem: name
        for plan in plans
        for name, tracker in plan.trackers.items()
        for problem in tracker.check()
    }
    for problem, name in found.items():
        click.secho(f"tracker {name}: runs are not mirrored: {problem}", fg="yellow", err=True)
