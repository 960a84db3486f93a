"""`mmspec plugins`."""

from __future__ import annotations

import json

import click
from click.shell_completion import CompletionItem
from rich.markup import escape

from mmspec.cli.help import Group
from mmspec.cli.options import open_registry
from mmspec.cli.terminal import print_table, table
from mmspec.errors import PluginError
from mmspec.plugins.describe import describe_plugin
from mmspec.plugins.registry import KINDS, PluginRecord


@click.group(cls=Group, example="mmspec plugins list\nmmspec plugins show balancing guided")
def command() -> None:
    """List and show the plugins that are installed."""


def _complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    del param
    names = open_registry().names(ctx.params.get("kind", ""))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


kind_type = click.Choice(list(KINDS))


@command.command(
    "list",
    example="mmspec plugins list\nmmspec plugins list balancing",
    short_help="List plugins, of all kinds or of one.",
)
@click.argument("kind", type=kind_type, required=False, metavar="[KIND]")
def list_plugins(*, kind: str | None) -> None:
    """List the plugins that are installed, of all kinds or of one KIND."""
    registry = open_registry()
    shown = table("kind", "name", "what it is", "from")
    for each in [kind] if kind else KINDS:
        for name in registry.names(each):
            record = registry.find(each, name)
            shown.add_row(
                each, escape(name), _summary(record), escape(f"{record.distribution} {record.version}")
            )
    print_table(shown)


@command.command(
    "show", example="mmspec plugins show balancing guided", short_help="Show one plugin and its options."
)
@click.argument("kind", type=kind_type, metavar="KIND")
@click.argument("name", shell_complete=_complete_name)
def show(*, kind: str, name: str) -> None:
    """Show what a plugin is, its options, where it comes from, and a piece of a spec that uses it."""
    plugin = describe_plugin(open_registry(), kind, name)
    click.echo(f"{plugin.kind} {click.style(plugin.name, bold=True)}\n\n{plugin.doc}\n")
    if plugin.options:
        shown = table("option", "type", "default", "what it is")
        for each in plugin.options:
            default = "required" if each.required else _toml(each.default)
            shown.add_row(*map(escape, (each.name, each.type, default, each.help)))
        print_table(shown)
        click.echo()
    origin = plugin.origin
    place = f", from {plugin.installed_from}" if plugin.installed_from else ""
    click.echo(
        f"{origin.target} of {origin.distribution} {origin.version}{place}\n\n{plugin.snippet}", nl=False
    )


def _toml(value: object) -> str:
    """A default as a spec would write it."""
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _summary(record: PluginRecord) -> str:
    """The first line of a plugin's docstring; why there is none, if it cannot be loaded."""
    try:
        words = (record.load().__doc__ or "").strip()
    except PluginError as error:
        return f"[red]{escape(error.problems[0].what)}[/]"
    return escape(words.splitlines()[0]) if words else ""
