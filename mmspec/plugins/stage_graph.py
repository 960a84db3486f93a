"""Whether the stages of a run fit each other: what each reads and starts from, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from mmspec.errors import Location
from mmspec.plugins.api import DataInfo
from mmspec.plugins.stage import StageParts
from mmspec.spec.model import INPUT, SAMPLES, AnalysisStage, ExtractStage, Read, Stage
from mmspec.spec.scan import Path
from mmspec.spec.words import dotted, listed, show, suggestion


@attrs.frozen
class Misfit:
    """Something that does not fit: where it stands, what it is, and what to do."""

    where: Location
    what: str
    hint: str | None = None


def check_graph(parts: StageParts, earlier: Mapping[str, StageParts]) -> Iterator[Misfit]:
    """All that does not fit between a stage and those before it."""
    yield from _extracted(parts)
    yield from _initial_weights(parts, earlier)
    yield from _read_stages(parts, earlier)
    yield from _values_have_names(parts, earlier)


def at(parts: StageParts, *path: str | int) -> Location:
    """Where what stands at `path` is written."""
    return parts.root.find(path).where()


def key_at(parts: StageParts, *path: str | int) -> Location:
    """Where the key at `path` is written."""
    node = parts.root.find(path)
    return (node.key or node.place).location()


def data_of(parts: StageParts) -> DataInfo | None:
    """What the dataset of a stage offers, if that is known."""
    return parts.dataset.answer if parts.dataset is not None else None


def _initial_weights(parts: StageParts, earlier: Mapping[str, StageParts]) -> Iterator[Misfit]:
    named: list[tuple[Path, str]] = [
        (("assemble", i, "stage"), part.stage) for i, part in enumerate(parts.assemble)
    ]
    if parts.init_from is not None:
        named.append((("init_from", "stage"), parts.init_from.stage))
        if parts.assemble:
            what = "assemble: there is init_from as well"
            yield Misfit(key_at(parts, "assemble"), what, "put its stage into assemble")
    for path, stage in named:
        yield from _comes_before(parts, path, stage, earlier)
        if stage in earlier and earlier[stage].kind is not Stage:
            what = f"{dotted(path[:-1])}: stage {stage} trains nothing, so it has no weights"
            trained = [name for name, other in earlier.items() if other.kind is Stage]
            yield Misfit(at(parts, *path), what, f"stages that train: {listed(trained) or 'none'}")


def _comes_before(
    parts: StageParts, path: Path, stage: str, earlier: Mapping[str, StageParts]
) -> Iterator[Misfit]:
    if stage not in earlier:
        yield Misfit(
            at(parts, *path),
            f"{dotted(path[:-1])}: no stage called {show(stage)} comes before"
            + (f" {parts.name}" if earlier or stage != parts.name else ""),
            suggestion(stage, earlier, of="stages before it"),
        )


def _read_stages(parts: StageParts, earlier: Mapping[str, StageParts]) -> Iterator[Misfit]:
    """What a stage reads comes before it, its analysis knows the name, and there is a table if need be."""
    part = parts.analysis
    of_tables = () if part is None else part.cls.tables
    known = of_tables if part is None else (*of_tables, *part.cls.outputs)
    written = parts.root.table.get("reads")
    understood = written is None or isinstance(written.value, dict)
    for name in known if understood else ():
        if part is not None and (written is None or name not in written.table):
            what = f"analysis: {part.record.name} reads {name}, and the stage does not say of which stage"
            hint = f'add reads.{name} = "STAGE"; stages before it: {listed(earlier) or "none"}'
            yield Misfit(part.node.find(("use",)).where(), what, hint)
    for name, read in parts.reads.items():
        path: Path = ("reads", name, "stage")
        yield from _comes_before(parts, path, read.stage, earlier)
        if part is not None and name not in known:
            what = f"{dotted(path[:-1])}: {part.record.name} reads nothing of this name"
            yield Misfit(key_at(parts, "reads", name), what, suggestion(name, known, of="it reads"))
        elif read.stage in earlier and (part is None or name in of_tables or read.shuffle is not None):
            yield from _has_table(parts, path, read, earlier)


def _values_have_names(parts: StageParts, earlier: Mapping[str, StageParts]) -> Iterator[Misfit]:
    """What an analysis comes to is STAGE/name, which must not be the SPLIT/name of another stage."""
    splits = dict.fromkeys(split for other in earlier.values() for split in other.splits or ())
    if parts.kind is AnalysisStage and parts.name in splits:
        what = f"stage {parts.name} analyses, and {parts.name} is the name of a split"
        hint = f"its values would be {parts.name}/…, as those of the split; give the stage another name"
        yield Misfit(key_at(parts, "analysis"), what, hint)


def _has_table(
    parts: StageParts, path: Path, read: Read, earlier: Mapping[str, StageParts]
) -> Iterator[Misfit]:
    other = earlier[read.stage]
    if other.kind is not ExtractStage:
        writers = [name for name, each in earlier.items() if each.kind is ExtractStage]
        what = f"{dotted(path[:-1])}: stage {read.stage} writes no feature table"
        what += "" if read.shuffle is None else " that could be shuffled"
        yield Misfit(at(parts, *path), what, f"stages that do (extract): {listed(writers) or 'none'}")
        return
    data = data_of(other)
    groups = tuple(dict.fromkeys((SAMPLES, *(data.groups if data else ()), "class")))
    if read.shuffle is not None and read.shuffle not in groups:
        path = (*path[:-1], "shuffle")
        what = f"{dotted(path)}: the data of stage {read.stage} have no groups {show(read.shuffle)}"
        yield Misfit(at(parts, *path), what, suggestion(read.shuffle, groups, of="to choose from"))


def _extracted(parts: StageParts) -> Iterator[Misfit]:
    """The modality and layer that are written exist, as far as can be said without the network."""
    extract = parts.extract
    if extract is None:
        return
    data = data_of(parts)
    of_samples = extract.layer == INPUT
    known = tuple(data.modalities if data else ()) if of_samples else tuple(parts.modalities)
    if extract.modality is None:
        if len(known) > 1:
            what = "extract.modality is missing: it is not clear whose samples are meant"
            yield Misfit(key_at(parts, "extract"), what, f"add modality = …: {listed(known)}")
    elif known and extract.modality not in known:
        what = (
            f"extract.modality: there is no {'modality' if of_samples else 'branch'} {show(extract.modality)}"
        )
        yield Misfit(at(parts, "extract", "modality"), what, suggestion(extract.modality, known, of="it has"))
