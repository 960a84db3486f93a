"""`mmspec schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mmspec.cli.help import Command
from mmspec.cli.options import open_registry
from mmspec.plugins.schema import schema

EXAMPLE = """\
mmspec schema -o mmspec.schema.json
# and in the first line of a spec, for editors with a TOML language server:
#:schema ./mmspec.schema.json
"""


@click.command(cls=Command, example=EXAMPLE)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
def command(*, output: Path | None) -> None:
    """Write the JSON Schema of specs, made from the plugins that are installed."""
    text = json.dumps(schema(open_registry()), indent=2, ensure_ascii=False)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
