"""`mmspec completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from mmspec.cli import cli
from mmspec.cli.help import Command

EXAMPLE = """\
mmspec completion bash >> ~/.bashrc
mmspec completion zsh >> ~/.zshrc
mmspec completion fish > ~/.config/fish/completions/mmspec.fish
"""


@click.command(cls=Command, example=EXAMPLE)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(*, shell: str) -> None:
    """Print the completion script of a SHELL: commands, options, specs, plugins and runs."""
    completer = get_completion_class(shell)
    assert completer is not None
    click.echo(completer(cli, {}, "mmspec", "_MMSPEC_COMPLETE").source())
