"""`mmspec data`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from mmspec.cli.help import Group
from mmspec.cli.options import load_experiment, offering_smoke, set_option, spec_argument
from mmspec.errors import DataError
from mmspec.launch.prepare import MissingDataError
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
    """Say what is missing or damaged of the data of SPEC, packed copies included, and what there is."""
    from mmspec.data.packing import find_packs, verify

    used = _data_of(spec, overrides)
    with offering_smoke(spec):
        if problems := [problem for stage, _ in used for problem in stage.dataset.check()]:
            raise MissingDataError(problems)
    packs = [find_packs(stage.dataset, modalities) for stage, modalities in used]
    there = [{m: folder for m, folder in found.items() if folder.exists()} for found in packs]
    problems = [problem for found in there for folder in found.values() for problem in verify(folder)]
    if problems:
        raise DataError(problems)
    for (stage, modalities), packed in zip(used, there, strict=True):
        _describe(stage, modalities)
        click.echo(f"  packed: {', '.join(packed) or 'nothing'}")


def _describe(stage: StagePlan, modalities: Sequence[str]) -> None:
    info, sources = stage.dataset.describe(), stage.dataset.open(modalities)
    click.echo(f"{stage.spec.dataset.use}: {click.style('fine', fg='green')}")
    for name in modalities:
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
    for stage, _ in _data_of(spec, overrides):
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
    from mmspec.data.packing import pack as make_packs

    for stage, modalities in _data_of(spec, overrides):
        for modality, folder in make_packs(stage.dataset, modalities).items():
            size = sum(path.stat().st_size for path in folder.iterdir())
            click.echo(f"{stage.spec.dataset.use}, {modality}: {size / 1e6:.1f} MB in {folder}")


def _data_of(spec: Path, overrides: tuple[str, ...]) -> list[tuple[StagePlan, list[str]]]:
    """A stage for each dataset of the spec that differs, and all modalities that the spec reads of it."""
    used: dict[str, tuple[StagePlan, list[str]]] = {}
    for plan in load_experiment(spec, overrides).plans:
        for stage in plan.stages:
            key = json.dumps(stage.resolved["dataset"], sort_keys=True)
            _, modalities = used.setdefault(key, (stage, []))
            modalities += [name for name in stage.spec.modalities if name not in modalities]
    return list(used.values())
