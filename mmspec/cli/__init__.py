"""The command line. Commands are imported when called: `mmspec --help` starts nearly as fast as Python.

Nothing but click is imported here, and this file stays small, because every command pays for it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

#: Commands by section: name → what it does, in the module `mmspec.cli.<name>`.
SECTIONS = {
    "Experiments": {
        "run": "Run an experiment: every variant, sweep point and seed.",
        "check": "Check a spec without running it.",
        "graph": "Draw the training graph of a run.",
        "diff": "Say how two experiments differ.",
        "report": "Turn runs into tables and figures.",
    },
    "What is there": {
        "runs": "List, show and remove runs.",
        "plugins": "List and show installed plugins.",
        "data": "Check, imitate and pack the data of a spec.",
    },
    "Setting up": {
        "schema": "Write the JSON Schema of specs, for editors.",
        "completion": "Print the completion script of a shell.",
    },
}
#: How Python writes a warning, with its place in the code.
_python_warning = warnings.formatwarning

HIDDEN = {"execute": "Work on one run directory until it is finished."}

EXAMPLE = """\
mmspec check specs/colored_digits.toml
mmspec run specs/colored_digits.toml
mmspec report reports/colored_digits.toml
"""


class LazyGroup(click.Group):
    """Loads a command's module when the command is called; turns every exception into an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names that help and completion show."""
        del ctx
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported."""
        if cmd_name not in self.list_commands(ctx) and cmd_name not in HIDDEN:
            return None
        command: click.Command = import_module(f"mmspec.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, without importing them."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The example."""
        del ctx
        with formatter.section("Example"):
            formatter.write("".join(f"  {line}\n" for line in EXAMPLE.splitlines()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is asked for; an unknown one gets its nearest name."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            from mmspec.cli.terminal import unknown_command

            ctx.fail(unknown_command(name, self.list_commands(ctx)))
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **options: Any
    ) -> Any:
        """Run the command line; ends the process unless `standalone_mode` is off."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **options)
        return sys.exit(self._exit_code(args, **options))

    def _exit_code(self, args: Sequence[str] | None, **options: Any) -> int:
        warnings.formatwarning = _plain_warning
        try:
            returned = super().main(args, standalone_mode=False, **options)
            sys.stdout.flush()
        except click.ClickException as error:
            from mmspec.cli.terminal import show_usage_error

            return show_usage_error(error)
        except (KeyboardInterrupt, click.Abort):
            click.echo("\ninterrupted", err=True)
            return 130
        except BrokenPipeError:  # the reader, `head` say, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except Exception as error:  # noqa: BLE001 - a user never sees a traceback
            from mmspec.cli.terminal import show_error

            return show_error(error)
        return returned if isinstance(returned, int) else 0


def _plain_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning to the user in one line, without the place in the code; others as Python writes them."""
    if category is UserWarning:
        return f"warning: {message}\n"
    return _python_warning(message, category, filename, lineno, line)


def colour() -> bool | None:
    """Colour on terminals only (None: click looks), and never under NO_COLOR."""
    return False if os.environ.get("NO_COLOR") else None


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="mmspec", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Multi-modal learning experiments as TOML specs: run them, record them, make the paper's table."""
    ctx.color = colour()


def main() -> NoReturn:
    """The console script."""
    cli(prog_name="mmspec")
    raise SystemExit(0)
