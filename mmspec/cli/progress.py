"""What `mmspec run` shows while runs work: bars on a terminal, lines elsewhere.

Runs write `progress.json`; a thread here reads it a few times a second. Nothing is asked of a run.
"""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from mmspec.cli.metric import main_metric
from mmspec.cli.stages import progress_words
from mmspec.launch.prepare import Event, PreparedRun
from mmspec.records import load_run
from mmspec.records.read import read_progress

#: Seconds between two looks at the runs; between two lines about one run where there is no terminal.
_LOOK_EVERY, _LINE_EVERY = 0.3, 10.0


class Display(ABC):
    """Follows runs; a context manager around the launch."""

    def __init__(self, runs: tuple[PreparedRun, ...]) -> None:
        self.runs = {run.id: run for run in runs}
        self.active: set[str] = set()
        self._logs: dict[str, int] = {}  # how long the log of a run was when its process started
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def changed(self, run_id: str, event: Event) -> None:
        """A run has started or ended."""
        if event in ("started", "retried"):
            log = log_of(self.runs[run_id].path)
            self._logs[run_id] = log.stat().st_size if log.exists() else 0
            self.active.add(run_id)
        else:
            self.active.discard(run_id)
        self.show_event(self.runs[run_id], event)

    @abstractmethod
    def show_event(self, run: PreparedRun, event: Event) -> None:
        """Show that a run has started or ended."""

    @abstractmethod
    def show_progress(self, run: PreparedRun, progress: Mapping[str, Any]) -> None:
        """Show how far a run is."""

    @abstractmethod
    def show_word(self, run: PreparedRun, word: str) -> None:
        """Show what a run says of itself before its first step, such as how far its data are packed."""

    def __enter__(self) -> Display:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            for run_id in list(self.active):
                run = self.runs[run_id]
                progress = read_progress(run.path)
                if {"epoch", "epochs", "step", "steps"} <= set(progress):
                    self.show_progress(run, progress)
                elif word := _last_word(run, self._logs[run_id]):
                    self.show_word(run, word)


class Bars(Display):
    """One bar a run that works, and one for all."""

    def __init__(self, runs: tuple[PreparedRun, ...], console: Console) -> None:
        super().__init__(runs)
        self._bars = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metric]}", style="cyan"),
            console=console,
            transient=True,
        )
        self._all = self._bars.add_task("[bold]all runs", total=len(runs), metric="")
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Display:
        self._bars.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._bars.stop()

    def show_event(self, run: PreparedRun, event: Event) -> None:
        """A bar comes with a run and goes with it; what is not a success stays as a line."""
        if event == "started":
            self._tasks[run.id] = self._bars.add_task(escape(run.label), total=None, metric="starting")
        elif event == "retried":
            self._bars.print(f"[yellow]killed, started again[/]  {escape(run.label)}")
        else:
            if run.id in self._tasks:
                self._bars.remove_task(self._tasks.pop(run.id))
            self._bars.advance(self._all)
            if event != "finished":
                self._bars.print(f"[red]{event}[/]  {escape(run.label)}{escape(reason(run, event))}")

    def show_progress(self, run: PreparedRun, progress: Mapping[str, Any]) -> None:
        """Steps done of those of all epochs, or samples of a table, with the metric that matters."""
        task = self._tasks.get(run.id)
        if task is not None:
            done, total = _done(progress)
            if total is None and self._bars.tasks[self._bars.task_ids.index(task)].total is not None:
                self._bars.remove_task(task)  # no bar forgets its total
                task = self._tasks[run.id] = self._bars.add_task(escape(run.label), total=None, metric="")
            text = f"{words(run, progress)}  {metric(run, progress)}".rstrip()
            self._bars.update(task, completed=done, total=total, metric=escape(text))

    def show_word(self, run: PreparedRun, word: str) -> None:
        """In the place of the metric."""
        task = self._tasks.get(run.id)
        if task is not None:
            self._bars.update(task, metric=escape(word))


class Lines(Display):
    """A line for each event, and now and then one for each run that works."""

    def __init__(self, runs: tuple[PreparedRun, ...]) -> None:
        super().__init__(runs)
        self._done = 0
        self._said: dict[str, float] = {}
        self._words: dict[str, str] = {}

    def show_event(self, run: PreparedRun, event: Event) -> None:
        """One line."""
        self._done += event not in ("started", "retried")
        word = "killed, started again" if event == "retried" else event
        click.echo(f"[{self._done}/{len(self.runs)}] {word}: {run.label}{reason(run, event)}")
        sys.stdout.flush()

    def show_progress(self, run: PreparedRun, progress: Mapping[str, Any]) -> None:
        """One line each ten seconds of a run's own time."""
        if progress["seconds"] - self._said.setdefault(run.id, 0.0) >= _LINE_EVERY:
            self._said[run.id] = progress["seconds"]
            click.echo(f"        {run.label}: {words(run, progress)}  {metric(run, progress)}".rstrip())
            sys.stdout.flush()

    def show_word(self, run: PreparedRun, word: str) -> None:
        """One line for each word that is new; a run says one each ten seconds."""
        if self._words.get(run.id) != word:
            self._words[run.id] = word
            click.echo(f"        {run.label}: {word}")
            sys.stdout.flush()


def display(runs: tuple[PreparedRun, ...]) -> Display:
    """Bars on a terminal, lines elsewhere."""
    console = Console(highlight=False)
    return Bars(runs, console) if console.is_terminal else Lines(runs)


def words(run: PreparedRun, progress: Mapping[str, Any]) -> str:
    """What the run is at, and how far."""
    return progress_words(run.plan.resolved["stages"], progress)


def _done(progress: Mapping[str, Any]) -> tuple[int, int | None]:
    """What is done, and of how much; None where that cannot be known, as of an analysis."""
    done = (max(progress["epoch"], 1) - 1) * progress["steps"] + progress["step"]
    return done, progress["epochs"] * progress["steps"] or None


def metric(run: PreparedRun, progress: Mapping[str, Any]) -> str:
    """The metric that matters, with its last value."""
    values: Mapping[str, float] = progress.get("values") or {}
    name = main_metric(run.plan.resolved, values)
    return f"{name} {values[name]:.4g}" if name in values else ""


def reason(run: PreparedRun, event: Event) -> str:
    """Why a run failed, if it could say so, and where its log is."""
    if event != "failed":
        return ""
    failure = load_run(run.path).failure
    said = str(failure["error"]).splitlines()[0] if failure else "its process ended early"
    return f": {said} ({log_of(run.path)})"


def _last_word(run: PreparedRun, start: int) -> str:
    """The last line of a run's log that its process wrote, without the time; empty if there is none."""
    try:
        with log_of(run.path).open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1].partition(" ")[2] if lines else ""


def log_of(path: Path) -> Path:
    """The log of a run."""
    return path / "log.txt"
