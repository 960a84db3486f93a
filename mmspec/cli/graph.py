"""`mmspec graph`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from mmspec.cli.help import Command
from mmspec.cli.options import choose, load_experiment, set_option, spec_argument, variant_option
from mmspec.experiment import draw
from mmspec.launch.prepare import run_label

EXAMPLE = """\
mmspec graph specs/colored_digits.toml --variant guided
mmspec graph specs/cadieu_finetune.toml -o stages.svg
mmspec graph specs/colored_digits.toml --variant guided --format svg -o graph.svg
"""


@click.command(cls=Command, example=EXAMPLE)
@spec_argument()
@set_option
@variant_option
@click.option("--stage", metavar="NAME", help="Only this stage.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "mermaid", "svg"]),
    help="[default: by the name of the output file, else text]",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
def command(
    *,
    spec: Path,
    overrides: tuple[str, ...],
    variants: tuple[str, ...],
    stage: str | None,
    style: Literal["text", "mermaid", "svg"] | None,
    output: Path | None,
) -> None:
    """Draw the first run of SPEC: the graph of its stages, and the training graph of each, with every shape.

    A picture is of the stages, where there are several, else of the one that there is; --stage draws one.
    """
    plans = choose(load_experiment(spec, overrides).plans, variants=variants)
    text = draw(plans[0], style or _by_name(output), stage)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
    if len({tuple(plan.labels.items()) for plan in plans}) > 1:
        click.echo(f"(the graph of: {run_label(plans[0])}; choose another by --variant)", err=True)


def _by_name(output: Path | None) -> Literal["text", "mermaid", "svg"]:
    if output is None:
        return "text"
    return {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}.get(output.suffix, "text")  # type: ignore[return-value]
