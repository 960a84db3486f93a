"""Commands whose help ends with an example, and groups that know the nearest name."""

from __future__ import annotations

from typing import Any

import click

from mmspec.cli.terminal import unknown_command


class _WithExample(click.Command):
    """A command with an `example`: lines that are shown as they stand."""

    def __init__(self, *args: Any, example: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The example."""
        del ctx
        with formatter.section("Example"):
            formatter.write("".join(f"  {line}\n" for line in self.example.splitlines()))


class Command(_WithExample):
    """A command."""


class Group(_WithExample, click.Group):
    """A group of commands; an unknown one gets its nearest name."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is asked for."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            ctx.fail(unknown_command(args[0], self.list_commands(ctx)))
        return super().resolve_command(ctx, args)
