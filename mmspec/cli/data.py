"""`mmspec data`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from mmspec.cli.help import Group
from mmspec.cli.options import load_experiment, set_option, spec_argument
from mmspec.errors import DataError
from mmspec.plugins.plan import StagePlan


@click.group(cls=Group, example="mmspec data check specs/colored_digits.toml")
def command() -> None:
    """Check, imitate and pack the data that a spec reads."""


@command.command(
    example="mmspec data check specs/colored_digits.toml",
    short_help="Say what is missing, and what there is.",
)
@spec_argument()
@set_option
def check(*, spec: Path, overrides: tuple[str, ...]) -> None:
    """Say what is missing or damaged of the data of SPEC, and what there is."""
    stages = list(_stages_by_data(spec, overrides))
    problems = [problem for stage in stages for problem in stage.dataset.check()]
    if problems:
        raise DataError(problems)
    for stage in stages:
        info, sources = stage.dataset.describe(), stage.dataset.open(list(stage.spec.modalities))
        click.echo(f"{stage.spec.dataset.use}: {click.style('fine', fg='green')}")
        for name in stage.spec.modalities:
            shape = " × ".join(map(str, info.modalities[name].shape))
            click.echo(f"  modality {name}: {shape}, {info.modalities[name].dtype}")
        for name, source in sources.items():
            role = info.splits[name].replace("train", "training")
            click.echo(f"  split {name}: {len(source)} samples, for {role}")
        click.echo(f"  classes: {len(info.classes)}")
        click.echo(f"  fingerprint: {stage.dataset.fingerprint()}")


@command.command(
    example="mmspec data sample specs/colored_mnist.toml -o sample",
    short_help="Write a small stand-in, in the official format.",
)
@spec_argument()
@set_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write to.",
)
def sample(*, spec: Path, overrides: tuple[str, ...], output: Path) -> None:
    """Write a small stand-in for the data of SPEC, in the official format, to try things with."""
    for stage in _stages_by_data(spec, overrides):
        made = stage.dataset.write_sample(output)
        if made == stage.dataset:
            click.echo(f"{stage.spec.dataset.use} needs no files: there is nothing to write")
        else:
            click.echo(f"{stage.spec.dataset.use}: a sample is in {output}")
            click.echo(f"  try: mmspec run {spec} --set dataset.root={output}")


@command.command(
    example="mmspec data pack specs/colored_digits.toml", short_help="Decode once, into memory-mapped arrays."
)
@spec_argument()
@set_option
def pack(*, spec: Path, overrides: tuple[str, ...]) -> None:
    """Decode the data of SPEC once into memory-mapped arrays, for runs with `train.packed = true`."""
    from mmspec.data.packing import pack as make_pack

    done: set[Path] = set()
    for stage in _stages_by_data(spec, overrides, by_modalities=True):
        folder = make_pack(stage.dataset, list(stage.spec.modalities))
        if folder not in done:
            done.add(folder)
            size = sum(path.stat().st_size for path in folder.iterdir())
            names = ", ".join(stage.spec.modalities)
            click.echo(f"{stage.spec.dataset.use} ({names}): {size / 1e6:.1f} MB in {folder}")


def _stages_by_data(
    spec: Path, overrides: tuple[str, ...], *, by_modalities: bool = False
) -> Iterator[StagePlan]:
    """One stage for each dataset of the spec (and set of modalities) that differs."""
    seen = set()
    for plan in load_experiment(spec, overrides).plans:
        for stage in plan.stages:
            modalities = sorted(stage.spec.modalities) if by_modalities else []
            key = json.dumps([stage.resolved["dataset"], modalities], sort_keys=True)
            if key not in seen:
                seen.add(key)
                yield stage
