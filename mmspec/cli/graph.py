"""`mmspec graph`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from mmspec.cli.help import Command
from mmspec.cli.options import choose, load_experiment, set_option, spec_argument, variant_option
from mmspec.errors import SpecError
from mmspec.launch.prepare import run_label
from mmspec.plugins.plan import NetworkPlan, RunPlan

EXAMPLE = """\
mmspec graph specs/colored_digits.toml --variant guided
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
    """Draw the training graph of the first run of SPEC, with every shape."""
    plans = choose(load_experiment(spec, overrides).plans, variants=variants)
    style = style or _by_name(output)
    stages = _stages(plans[0], stage)
    if style != "text" and len(stages) > 1:
        names = ", ".join(each.name for each in stages)
        raise SpecError(f"a picture shows one stage, this spec has {len(stages)}", hint=f"--stage: {names}")
    text = "\n\n".join(_draw(each, style) for each in stages)
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


def _stages(plan: RunPlan, name: str | None) -> list[NetworkPlan]:
    stages = [each for each in plan.networks if name in (None, each.name)]
    if not stages:
        names = ", ".join(each.name for each in plan.stages)
        raise SpecError(f"there is no stage {name!r}", hint=f"stages of this spec: {names}")
    return stages


def _draw(stage: NetworkPlan, style: Literal["text", "mermaid", "svg"]) -> str:
    from mmspec.graph import build_graph
    from mmspec.graph.draw import as_mermaid, as_svg, as_text

    return {"text": as_text, "mermaid": as_mermaid, "svg": as_svg}[style](build_graph(stage))
