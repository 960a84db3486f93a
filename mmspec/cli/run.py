"""`mmspec run`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.markup import escape

from mmspec.cli.help import Command
from mmspec.cli.metric import main_metric
from mmspec.cli.options import (
    choose,
    load_experiment,
    offering_smoke,
    runs_option,
    seed_option,
    set_option,
    spec_argument,
    variant_option,
)
from mmspec.cli.progress import display
from mmspec.cli.stages import trained_epochs
from mmspec.cli.terminal import print_table, table
from mmspec.cli.trackers import say_missing
from mmspec.launch.local import INTERRUPTED
from mmspec.launch.mirror import notices_of
from mmspec.launch.prepare import PreparedRun, default_jobs, launch, make_ready, prepare
from mmspec.launch.smoke import first_seed, in_words, smoke_plans
from mmspec.records import load_run

EXAMPLE = """\
mmspec run specs/colored_digits.toml
mmspec run specs/colored_digits.toml --variant guided --seed 0 --set train.epochs=2
mmspec run specs/colored_mnist.toml --smoke
"""


@click.command(cls=Command, example=EXAMPLE)
@spec_argument()
@set_option
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Runs at a time.  [default: 2 where runs take one thread each and there are two cores, else 1]",
)
@runs_option
@seed_option
@variant_option
@click.option(
    "--smoke",
    is_flag=True,
    help="Try the whole path in little: on a stand-in for the data, with short training and one seed.",
)
@click.option("--dry-run", is_flag=True, help="List the runs and their state, and stop.")
def command(
    *,
    spec: Path,
    overrides: tuple[str, ...],
    jobs: int | None,
    runs: Path,
    seeds: tuple[int, ...],
    variants: tuple[str, ...],
    smoke: bool,
    dry_run: bool,
) -> int:
    """Run an experiment: every variant, sweep point and seed of SPEC.

    Finished runs are not run again, and what was interrupted goes on from its last checkpoint. Ctrl-C
    stops cleanly.
    """
    experiment = load_experiment(spec, overrides)
    plans = choose(experiment.plans, seeds, variants)
    if smoke:
        plans = smoke_plans(plans if seeds else first_seed(plans))
        click.echo(f"smoke runs, whose numbers mean nothing, {in_words(plans)}")
    with offering_smoke(spec):
        prepared = prepare(plans, runs, smoke=smoke)
    _say_stale(prepared)
    say_missing(plans)
    if dry_run:
        _list(prepared)
        return 0
    todo = make_ready(prepared, experiment.document, overrides)
    if done := len(prepared) - len(todo):
        click.echo(f"{done} of {len(prepared)} runs are finished already")
    with display(todo) as shown:
        statuses = launch(todo, jobs=jobs or default_jobs(plans), changed=shown.changed)
    _summarise(prepared)
    _say_notices(todo)
    _hint(_next(spec, experiment.name, smoke=smoke), statuses)
    return _exit_code(statuses)


def _say_stale(prepared: Sequence[PreparedRun]) -> None:
    stale = list(dict.fromkeys(str(run.path) for each in prepared for run in each.stale))
    if stale:
        more = f" and {len(stale) - 1} more" if len(stale) > 1 else ""
        text = f"stale, since code or data have changed: {stale[0]}{more}; they are run again as new runs"
        click.secho(text, fg="yellow", err=True)


def _list(prepared: Sequence[PreparedRun]) -> None:
    shown = table("run", "state", "directory")
    for run in prepared:
        shown.add_row(escape(run.label), run.state, escape(str(run.path)))
    print_table(shown)


def _summarise(prepared: Sequence[PreparedRun]) -> None:
    """One line a run: its state, the epochs it trained for, the metric that matters, how long it took."""
    titles = ("run", "state", "epochs", "metric", "value", "time")
    shown = table(*titles, numbers=["epochs", "value", "time"])
    for run in prepared:
        record = load_run(run.path)
        name = main_metric(record.spec, record.values)
        row = [record.status, "", "", "", ""]
        if record.status == "finished":
            value = f"{record.values[name]:.4f}" if name in record.values else ""
            row = ["finished", trained_epochs(record.stages), escape(name), value, f"{record.seconds:.0f} s"]
        shown.add_row(escape(run.label), *row)
    print_table(shown)


def _say_notices(runs: Sequence[PreparedRun]) -> None:
    """What trackers have said, once: it is much the same for every run, but for the run it names."""
    paths = [run.path for run in runs if notices_of(run.path).exists()]
    told = [notices_of(path).read_text(encoding="utf-8").rstrip() for path in paths]
    if len(told) > 1:
        told = [text.replace(f" {path.name}", "") for text, path in zip(told, paths, strict=True)]
    if told:
        click.echo("\n" + told[0])
        if others := len(told) - told.count(told[0]):
            click.echo(f"({others} more runs say the like; their log.txt has it)")


def _next(spec: Path, name: str, *, smoke: bool) -> str:
    """What to do when all has run."""
    if smoke:
        return (
            "These are numbers of a stand-in, which no report takes. For real ones: `mmspec data check"
            f" {spec}` says what data are needed, `mmspec run {spec}` runs on them."
        )
    report = Path("reports") / f"{name}.toml"
    return f"next: mmspec report {report}" if report.exists() else ""


def _hint(following: str, statuses: Mapping[str, int]) -> None:
    count = Counter(statuses.values())
    if failed := sum(count.values()) - count[0] - count[INTERRUPTED]:
        click.secho(
            f"{failed} of {len(statuses)} runs failed; `mmspec runs show RUN` says why", fg="red", err=True
        )
    elif count[INTERRUPTED]:
        click.secho("interrupted; the same command goes on from here", fg="yellow", err=True)
    elif following:
        click.echo("\n" + following)


def _exit_code(statuses: Mapping[str, int]) -> int:
    codes = set(statuses.values())
    if INTERRUPTED in codes:
        return INTERRUPTED
    return 0 if codes <= {0} else 1
