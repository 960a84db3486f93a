"""`mmspec data`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from mmspec.cli.following import following
from mmspec.cli.help import Group
from mmspec.cli.options import load_experiment, offering_smoke, set_option, spec_argument
from mmspec.errors import DataError
from mmspec.launch.prepare import MissingDataError
from mmspec.plugins.plan import NetworkPlan


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
    _check(spec, used)
    packs = [find_packs(stage.dataset, modalities) for stage, modalities in used]
    with following() as follow:
        there = (folder for found in packs for folder in found.values() if folder.exists())
        problems = [problem for folder in there for problem in verify(folder, follow)]
    if problems:
        raise DataError(problems)
    for (stage, modalities), found in zip(used, packs, strict=True):
        _describe(stage, modalities)
        for modality, folder in found.items():
            click.echo(f"  packed {modality}: {_packed(folder)}")


def _check(spec: Path, used: Sequence[tuple[NetworkPlan, list[str]]]) -> None:
    """Refuse to go on where data are missing; that there is `--smoke` is said then."""
    with offering_smoke(spec):
        if problems := [problem for stage, _ in used for problem in stage.dataset.check()]:
            raise MissingDataError(problems)


def _packed(folder: Path) -> str:
    """What there is of a pack, which is whole if it is there."""
    from mmspec.data.packing import read_manifest, size_text, unfinished

    if folder.exists():
        return f"{size_text(read_manifest(folder).size)} in {folder}"
    if unfinished(folder).exists():
        return "not finished; `mmspec data pack` goes on with it"
    return "no"


def _describe(stage: NetworkPlan, modalities: Sequence[str]) -> None:
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
        stage.dataset.write_sample(output)
        if not output.exists():
            click.echo(f"{stage.spec.dataset.use} needs no files: there is nothing to write")
        else:
            click.echo(f"{stage.spec.dataset.use}: a sample is in {output}")
            click.echo(f"  try: mmspec run {spec} --set dataset.root={output}")


@command.command(
    example="mmspec data pack specs/colored_digits.toml", short_help="Decode once, into memory-mapped arrays."
)
@spec_argument()
@set_option
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that decode.  [default: one a core; none for small data]",
)
def pack(*, spec: Path, overrides: tuple[str, ...], jobs: int | None) -> None:
    """Decode the data of SPEC once into memory-mapped arrays, for runs with `train.packed = true`.

    What is packed already is left as it is, and an interrupted packing goes on where it was.
    """
    from mmspec.data.packing import pack as make_packs

    used = _data_of(spec, overrides)
    _check(spec, used)
    for stage, modalities in used:
        with following() as follow:
            packs = make_packs(stage.dataset, modalities, jobs=jobs, follow=follow)
        for modality, folder in packs.items():
            click.echo(f"{stage.spec.dataset.use}, {modality}: {_packed(folder)}")


def _data_of(spec: Path, overrides: tuple[str, ...]) -> list[tuple[NetworkPlan, list[str]]]:
    """A stage for each dataset of the spec that differs, and all modalities that the spec reads of it."""
    used: dict[str, tuple[NetworkPlan, list[str]]] = {}
    for plan in load_experiment(spec, overrides).plans:
        for stage in plan.networks:
            key = json.dumps(stage.resolved["dataset"], sort_keys=True)
            _, modalities = used.setdefault(key, (stage, []))
            modalities += [name for name in stage.read_modalities if name not in modalities]
    return list(used.values())
