"""`mmspec runs`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click
from click.shell_completion import CompletionItem
from rich.markup import escape

from mmspec.cli.help import Group
from mmspec.cli.metric import main_metric
from mmspec.cli.options import runs_option
from mmspec.cli.stages import progress_words
from mmspec.cli.terminal import print_table, show_problems, table
from mmspec.errors import Problem, RecordError
from mmspec.graph.stages import stage_graph
from mmspec.records import Found, RunRecord, find_runs, load_run
from mmspec.records.lock import held
from mmspec.records.stages import prune

#: How the states of runs are coloured.
_COLOURS = {"finished": "green", "running": "cyan", "failed": "red", "unfinished": "yellow"}

#: Of so few values of a stage each is shown beside it.
_FEW = 4


@click.group(cls=Group, example="mmspec runs list\nmmspec runs show guided-s0-1a2b3c4d")
def command() -> None:
    """List, show and remove runs."""


def _complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    del param
    found = find_runs(ctx.params.get("runs") or Path("runs"))
    return [CompletionItem(run.id) for run in found.runs if run.id.startswith(incomplete)]


@command.command("list", example='mmspec runs list\nmmspec runs list "guided-*"')
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...", shell_complete=_complete_run)
@runs_option
def list_runs(*, patterns: tuple[str, ...], runs: Path) -> None:
    """List runs.

    Those whose id, experiment or EXPERIMENT/ID matches a PATTERN (shell wildcards); without one, all.
    """
    found = find_runs(runs)
    shown = table(
        "experiment", "run", "seed", "state", "progress", "metric", "time", numbers=["seed", "time"]
    )
    for run in _matching(found.runs, patterns):
        state = f"[{_COLOURS[run.status]}]{run.status}[/]"
        seconds = run.progress().get("seconds") if run.seconds is None else run.seconds
        time_taken = "" if seconds is None else f"{seconds:.0f} s"
        row = (run.experiment, run.id, str(run.seed), _progress(run), _metric(run), time_taken)
        experiment, run_id, seed, *rest = map(escape, row)
        shown.add_row(experiment, run_id, seed, state, *rest)
    if shown.row_count:
        print_table(shown)
    else:
        which = f"no run matches {' or '.join(patterns)}" if patterns and found.runs else "there are no runs"
        click.echo(f"{which} in {runs}", err=True)
    show_problems(found.problems)


@command.command("show", example="mmspec runs show guided-s0-1a2b3c4d", short_help="Show one run.")
@click.argument("run", shell_complete=_complete_run)
@runs_option
@click.option("--diff", is_flag=True, help="Show the changes that were not committed when it was made.")
def show(*, run: str, runs: Path, diff: bool) -> None:
    """Show one run, by its id, the beginning of it, or its directory: what it was, and what came out."""
    record = _one(run, runs)
    if diff:
        click.echo((record.provenance.get("git") or {}).get("diff") or "no changes were recorded", nl=False)
        return
    facts = table("", "")
    for name, value in _facts(record).items():
        facts.add_row(f"[bold]{name}[/]", escape(value))
    print_table(facts)
    if len(record.spec["stages"]) > 1:
        click.echo("")
        _show_stages(record)
    if record.values:
        click.echo("")
        values = table("metric", "value", numbers=["value"])
        for name, number in _each_once(record).items():
            values.add_row(escape(name), f"{number:.6g}")
        print_table(values)
    if record.failure:
        click.echo("")
        click.secho(str(record.failure["error"]), fg="red")
        click.echo(f"the traceback is in {record.path / 'failure.json'}")


def _show_stages(run: RunRecord) -> None:
    """A line for each stage: what it does, with what, and what it has left."""
    shown = table("stage", "what it does", "data", "network", "takes", "has left")
    for node in stage_graph(run.spec["stages"]):
        takes = "\n".join(each.words for each in node.inputs)
        row = (node.name, node.does, node.data, node.network, takes, _left(run, node.name))
        shown.add_row(*map(escape, row))
    print_table(shown)


def _left(run: RunRecord, stage: str) -> str:
    """What a stage has left: a table, epochs of training, and values, which are told if they are few."""
    size = run.table_size(stage)
    left = [f"{size[0]} × {size[1]} table"] if size else []
    result = run.stages.get(stage, {"epochs": 0, "values": {}})
    if epochs := result["epochs"]:
        left.append(f"{epochs} {'epoch' if epochs == 1 else 'epochs'}")
    values = {name.removeprefix(f"{stage}/"): value for name, value in result["values"].items()}
    if len(values) > _FEW:
        left.append(f"{len(values)} values")
    else:
        left += [f"{name} {value:.4g}" for name, value in values.items()]
    return ", ".join(left)


def _each_once(run: RunRecord) -> dict[str, float]:
    """The values of a run, without those that are there again by a shorter name."""
    main = f"{run.main_stage['name']}/"
    return {
        name: value
        for name, value in run.values.items()
        if not (name.startswith(main) and name.removeprefix(main) in run.values)
    }


@command.command("sync", example='mmspec runs sync\nmmspec runs sync "guided-*"', short_help="Upload runs.")
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...", shell_complete=_complete_run)
@runs_option
def sync(*, patterns: tuple[str, ...], runs: Path) -> None:
    """Upload what trackers recorded on this machine and could not upload then.

    Of runs whose id, experiment or EXPERIMENT/ID matches a PATTERN (shell wildcards); without one, of all.
    What is up already does not go up again, and an upload that was cut off goes on. A run that a process is
    working on is left alone.
    """
    from mmspec.cli.sync import sync_runs

    chosen = _matching(_readable(find_runs(runs)), patterns)
    if patterns and not chosen:
        raise RecordError(f"no run in {runs} matches {' or '.join(patterns)}")
    sync_runs(chosen, click.echo)


@command.command("remove", example='mmspec runs remove "guided-*"\nmmspec runs remove colored_digits --yes')
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...", shell_complete=_complete_run)
@runs_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def remove(*, patterns: tuple[str, ...], runs: Path, yes: bool) -> None:
    """Remove runs, with all they hold.

    Those whose id, experiment or EXPERIMENT/ID matches a PATTERN (shell wildcards). A run that a process is
    working on is refused.
    """
    chosen = _matching(_readable(find_runs(runs)), patterns)
    if not chosen:
        raise RecordError(f"no run in {runs} matches {' or '.join(patterns)}")
    if busy := [run for run in chosen if run.status == "running"]:
        raise RecordError(
            [Problem(f"{run.path} is running", hint="stop it first") for run in busy],
        )
    if not yes:
        for run in chosen:
            click.echo(f"  {run.path}  ({run.status})")
        click.confirm(f"Remove {_count(len(chosen))}?", abort=True)
    for run in chosen:
        _remove(run.path)
    prune(runs)
    click.echo(f"removed {_count(len(chosen))}")


def _matching(runs: Sequence[RunRecord], patterns: Sequence[str]) -> list[RunRecord]:
    def matches(run: RunRecord) -> bool:
        names = (run.id, run.experiment, f"{run.experiment}/{run.id}")
        return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

    return [run for run in runs if not patterns or matches(run)]


def _one(named: str, runs: Path) -> RunRecord:
    if (Path(named) / "spec.json").exists():
        return load_run(Path(named))
    found = find_runs(runs)
    chosen = [run for run in found.runs if run.id == named] or [
        run for run in found.runs if run.id.startswith(named)
    ]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise RecordError(f"several runs begin with {named!r}", hint=", ".join(run.id for run in chosen))
    raise RecordError(f"there is no run {named!r} in {runs}", hint="`mmspec runs list` lists them")


def _readable(found: Found) -> tuple[RunRecord, ...]:
    show_problems(found.problems)
    return found.runs


def _facts(run: RunRecord) -> dict[str, str]:
    provenance = run.provenance
    git, packages = provenance.get("git"), provenance.get("packages") or {}
    facts = {
        "run": run.id,
        "experiment": run.experiment,
        **{name: str(value) for name, value in run.labels.items()},
        "seed": str(run.seed),
        "state": run.status,
        "progress": _progress(run),
        "time": "" if run.seconds is None else f"{run.seconds:.1f} s",
        "directory": str(run.path),
        "created": str(provenance.get("created") or ""),
        "command": str(provenance.get("command") or ""),
        "commit": f"{git['commit'][:12]}{', with changes' if git['dirty'] else ''}" if git else "",
        "device": str(provenance.get("device") or ""),
        "packages": ", ".join(f"{name} {v}" for name, v in packages.items()),
    }
    return {name: value for name, value in facts.items() if value}


def _progress(run: RunRecord) -> str:
    progress = run.progress()
    if not {"epoch", "epochs"} <= set(progress):
        return ""
    stages = run.spec["stages"]
    if run.status == "finished" and len(stages) > 1:
        return f"{len(stages)} stages"
    return progress_words(stages, progress)


def _metric(run: RunRecord) -> str:
    values = run.values or run.progress().get("values") or {}
    name = main_metric(run.spec, values)
    return f"{name} {values[name]:.4f}" if name in values else ""


def _count(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _remove(path: Path) -> None:
    """Remove a run's directory: out of sight at once, then file by file."""
    with held(path / "lock"):
        pass
    away = path.with_name(f".{path.name}.{time.time_ns()}.removed")
    path.rename(away)
    shutil.rmtree(away)
