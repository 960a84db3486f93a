"""How the command line shows errors, and who may see colour."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from mmspec.cli import colour
from mmspec.errors import Location, MmspecError, Problem, UserError

if TYPE_CHECKING:
    from rich.table import Table


def show_error(error: Exception) -> int:
    """Print an error as a user should see it; the exit code it stands for."""
    if isinstance(error, OSError) and error.filename is not None:  # no such folder, no permission, disk full
        error = UserError(Problem(error.strerror or str(error), Location(str(error.filename))))
    if os.environ.get("MMSPEC_DEBUG"):
        traceback.print_exception(error)
    elif not isinstance(error, MmspecError):
        return _show_own_error(error)
    if isinstance(error, MmspecError):
        show_problems(error.problems)
        for remark in getattr(error, "__notes__", ()):
            _say("\n" + remark)
        return error.exit_code
    return 1


def show_usage_error(error: click.ClickException) -> int:
    """Print what is wrong with a command line, as other mistakes are printed; the exit code."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    hint = f"{context.command_path} --help" if context else None
    show_problems([Problem(error.format_message(), hint=hint)])
    return error.exit_code


def show_problems(problems: Sequence[Problem]) -> None:
    """Print problems to standard error, and how many there are in which file."""
    for problem in problems:
        _say(coloured(problem))
    if len(problems) > 1:
        _say(click.style(_summary(problems), bold=True))


def coloured(problem: Problem) -> str:
    """A problem with the same words as `str(problem)`, its parts told apart by colour."""
    where, what = problem.where, click.style(problem.what, bold=True)
    mark = click.style("error", fg="red", bold=True)
    lines = [f"{mark}: {where}: {what}" if where else f"{mark}: {what}"]
    if where and where.text:
        plain = str(Problem(problem.what, where)).splitlines()
        lines += [plain[-2], click.style(plain[-1], fg="red")]
    if problem.hint:
        lines.append(click.style("  hint: ", fg="cyan") + problem.hint)
    return "\n".join(lines)


def unknown_command(name: str, names: Iterable[str]) -> str:
    """What to say to a command that does not exist."""
    if name.endswith(".toml"):
        return f"No such command {name!r}. To run a spec: mmspec run {name}"
    close = get_close_matches(name, list(names), n=1)
    return f"No such command {name!r}." + (f" Did you mean {close[0]!r}?" if close else "")


def _say(text: str) -> None:
    """Print to standard error. The context that knows about colour is gone when an error arrives here."""
    click.echo(text, err=True, color=colour())


def table(*titles: str, numbers: Collection[str] = ()) -> Table:
    """A table without lines; the columns in `numbers` stand right."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold", show_header=any(titles))
    for title in titles:
        made.add_column(title, justify="right" if title in numbers else "left")
    return made


def print_table(made: Table) -> None:
    """Print a table as wide as the terminal; without one, as wide as it needs."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 1000, highlight=False)
    with console.capture() as captured:
        console.print(made)
    click.echo("\n".join(line.rstrip() for line in captured.get().rstrip().splitlines()))


def warn(problem: Problem) -> None:
    """Print a problem that does not stop anything."""
    _say(click.style("warning", fg="yellow", bold=True) + f": {problem}")


def _summary(problems: Sequence[Problem]) -> str:
    files = {problem.where.file for problem in problems if problem.where}
    where = f" in {files.pop()}" if len(files) == 1 else f" in {len(files)} files" if files else ""
    return f"{len(problems)} mistakes{where}"


def _show_own_error(error: Exception) -> int:
    """An error of mmspec's own, or of a plugin: short, with the traceback in a file."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="mmspec-error-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    said = traceback.format_exception_only(error)[-1].strip()
    _say(click.style("internal error", fg="red", bold=True) + f": {said}")
    _say(f"  This is a mistake in mmspec or in a plugin. The traceback is in {file.name}")
    _say("  MMSPEC_DEBUG=1 prints it here.")
    return 1
