"""Does a dataset keep its promises?"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from mmspec.data.splits import check_roles
from mmspec.errors import DataError, Problem
from mmspec.plugins.api import DataInfo, Dataset, Role, Source
from mmspec.plugins.working import Augmentation
from mmspec.testing.claims import claim, unsynced, works
from mmspec.testing.options import check_options, variants


def check_dataset(plugin: Dataset, tmp_path: Path) -> None:
    """Check a dataset; nothing is read but the sample that its `smoke()` writes under `tmp_path`.

    Give the plugin a folder that does not exist, if it needs one: it must describe itself without data,
    and say what is missing.
    """
    check_options(plugin)
    info = works("describe() without data", plugin.describe)
    _describes_itself(info)
    _says_what_is_missing(plugin, tuple(info.modalities))
    small = works("smoke()", plugin.smoke)
    claim(type(small) is type(plugin), f"smoke() gives {type(small).__name__}, not {type(plugin).__name__}")
    sample = works("write_sample(root)", small.write_sample, tmp_path / "sample")
    claim(isinstance(sample, Dataset), "write_sample must return the plugin that reads the sample")
    problems = sample.check()
    claim(not problems, f"check() finds fault with the sample the plugin wrote itself: {list(problems)}")
    info = sample.describe()
    _describes_itself(info)
    modalities = tuple(info.modalities)
    sources = works("open() of the sample", sample.open, modalities)
    claim(
        set(sources) == set(info.splits),
        f"open() gives the splits {sorted(sources)}, describe() promises {sorted(info.splits)}",
    )
    for split, source in sources.items():
        _is_a_source(f"split {split!r}", source, info)
        _gives_samples(f"split {split!r}", source, sample, info.splits[split])
    _splits_are_disjoint(sources, info)
    _reads_the_same(sample, sources, info)
    _fingerprint(small, sample, tmp_path)
    for modality in modalities:
        for split, role in info.splits.items():
            _augments(f"split {split!r}", sample, sources[split], modality, role)
        _augments("validation taken out of train", sample, sources["train"], modality, "validation")


def _describes_itself(info: DataInfo) -> None:
    claim(isinstance(info, DataInfo), f"describe() gives {type(info).__name__}, not a DataInfo")
    claim(info.modalities, "describe() names no modality")
    for name, modality in info.modalities.items():
        shape = modality.shape
        fits = isinstance(shape, tuple) and shape and all(isinstance(n, int) and n > 0 for n in shape)
        claim(fits, f"modality {name!r}: shape {shape!r} is not (C, *space)")
        works(f"modality {name!r}: dtype {modality.dtype!r}", np.dtype, modality.dtype)
        for what in ("mean", "std"):
            count = len(getattr(modality, what))
            claim(
                count in (1, shape[0]),
                f"modality {name!r}: {what} has {count} values for {shape[0]} channels",
            )
        claim(min(modality.std) > 0, f"modality {name!r}: std must be above 0")
    claim(len(info.classes) >= 2, "describe() must name two classes or more")
    claim(len(set(info.classes)) == len(info.classes), "describe() names a class twice")
    for split, role in info.splits.items():
        claim(role in get_args(Role), f"split {split!r} has role {role!r}, not one of {get_args(Role)}")
    trained = [split for split, role in info.splits.items() if role == "train"]
    claim(trained == ["train"], f"one split, called 'train', must have role 'train'; here it is {trained}")


def _says_what_is_missing(plugin: Dataset, modalities: tuple[str, ...]) -> None:
    problems = works("check() without data", plugin.check)
    claim(all(isinstance(each, Problem) for each in problems), "check() must give Problems")
    if not problems:
        return
    claim(any(each.hint for each in problems), "check() must give a hint where to get what is missing")
    refused = works("open() without data, which must raise DataError,", _refuses, plugin, modalities)
    claim(refused, "open() says nothing of what check() finds missing; it must raise DataError")


def _refuses(plugin: Dataset, modalities: tuple[str, ...]) -> bool:
    try:
        plugin.open(modalities)
    except DataError:
        return True
    return False


def _is_a_source(what: str, source: Source, info: DataInfo) -> None:
    claim(isinstance(source, Source), f"{what} is {type(source).__name__}, not a Source")
    n = len(source)
    claim(n > 0, f"{what} has no samples")
    targets = np.asarray(source.targets)
    claim(targets.shape == (n,) and targets.dtype.kind in "iu", f"{what}: targets must be integers (N,)")
    in_range = targets.min() >= 0 and targets.max() < len(info.classes)
    claim(in_range, f"{what}: targets are not in 0 … {len(info.classes) - 1}")
    claim(source.ids.shape == (n,), f"{what}: ids must be (N,)")
    claim(len(np.unique(source.ids)) == n, f"{what}: two samples have one id")
    claim(
        set(source.groups) == set(info.groups),
        f"{what} has groups {sorted(source.groups)}, describe() promises {sorted(info.groups)}",
    )
    for group, members in source.groups.items():
        claim(len(members) == n, f"{what}: group {group!r} has {len(members)} entries for {n} samples")


def _gives_samples(what: str, source: Source, sample: Dataset, role: Role) -> None:
    n = len(source)
    for name, modality in sample.describe().modalities.items():
        indices = np.array([n - 1, 0, n - 1])  # neither in order nor once each
        rows = works(f"{what}: read({name!r})", source.read, name, indices)
        raw = bool(works(f"augmentations({name!r}, {role!r})", sample.augmentations, name, role))
        promised = (3, *rows.shape[1:]) if raw else (3, *modality.shape)  # a transform may change the shape
        claim(
            rows.shape == promised,
            f"{what}: read({name!r}) gives {rows.shape}, not (3, {', '.join(map(str, promised[1:]))})",
        )
        claim(
            rows.dtype == np.dtype(modality.dtype),
            f"{what}: read({name!r}) gives {rows.dtype}, describe() promises {modality.dtype}",
        )
        single = [source.read(name, np.array([i]))[0] for i in indices]
        claim(
            np.array_equal(rows, single), f"{what}: read({name!r}) does not give rows in the order asked for"
        )


def _splits_are_disjoint(sources: Mapping[str, Source], info: DataInfo) -> None:
    works("the splits: sharing samples between roles", check_roles, sources, info.splits)
    claim(len(np.unique(sources["train"].targets)) > 1, "the sample's training split has one class only")


def _reads_the_same(sample: Dataset, sources: Mapping[str, Source], info: DataInfo) -> None:
    """Opened again, alone, or in another process, a sample is the same."""
    first = next(iter(info.modalities))
    again = sample.open((first,))
    for split, source in sources.items():
        everything = np.arange(min(len(source), 16))
        kept = works(f"split {split!r}: pickling", _pickled, source)
        for name, other in (("opened again", again[split]), ("after pickling", kept)):
            alike = np.array_equal(source.read(first, everything), other.read(first, everything))
            claim(alike, f"split {split!r} {name} reads other samples")
            claim(np.array_equal(source.targets, other.targets), f"split {split!r} {name} has other targets")
            claim(np.array_equal(source.ids, other.ids), f"split {split!r} {name} has other ids")
            claim(_same_groups(source, other), f"split {split!r} {name} has other groups")


def _same_groups(one: Source, other: Source) -> bool:
    groups = dict(getattr(other, "groups", {}))
    return groups.keys() == dict(one.groups).keys() and all(
        np.array_equal(values, groups[name]) for name, values in one.groups.items()
    )


def _pickled(source: Source) -> Source:
    kept: Source = pickle.loads(pickle.dumps(source))  # noqa: S301 - written a moment ago
    return kept


def _fingerprint(small: Dataset, sample: Dataset, tmp_path: Path) -> None:
    mark = works("fingerprint()", sample.fingerprint)
    claim(isinstance(mark, str) and mark, "fingerprint() must be a text")
    claim(sample.fingerprint() == mark, "fingerprint() is not the same when asked twice")
    elsewhere = small.write_sample(tmp_path / "elsewhere").fingerprint()
    claim(elsewhere == mark, "fingerprint() differs for the same data in another folder")
    for option, changed in variants(sample):
        if not changed.check() and _differ(sample, changed):
            claim(
                changed.fingerprint() != mark, f"option {option} changes the samples, but not fingerprint()"
            )
    files = [path for path in (tmp_path / "sample").rglob("*") if path.is_file()]
    if files:
        _notices_damage(sample, mark, files)


def _notices_damage(sample: Dataset, mark: str, files: Sequence[Path]) -> None:
    """A changed byte in the largest file gives another fingerprint, unless that file is not read.

    A view or a sensor that the options leave out is not. Changed bytes in all files must be noticed.
    """
    largest = max(files, key=lambda path: path.stat().st_size)
    blind = f"fingerprint() does not notice a changed byte in {largest.name}"
    with _damaged([largest]):
        if _notices(sample, mark):
            return
        read = works(f"{blind}, and reading", _everything, sample)
    claim(_same_arrays(read, _everything(sample)), blind)
    with _damaged(files):
        claim(_notices(sample, mark), blind)


@contextmanager
def _damaged(files: Iterable[Path]) -> Iterator[None]:
    """Files with one byte changed in the middle of each."""
    contents = {file: file.read_bytes() for file in files}
    try:
        for file, content in contents.items():
            middle = len(content) // 2
            changed = bytes(byte ^ 0xFF for byte in content[middle : middle + 1])
            file.write_bytes(content[:middle] + changed + content[middle + 1 :])
        yield
    finally:
        for file, content in contents.items():
            file.write_bytes(content)


def _notices(sample: Dataset, mark: str) -> bool:
    try:
        return sample.fingerprint() != mark
    except DataError:
        return True


def _everything(sample: Dataset) -> list[np.ndarray]:
    """Targets and all samples of all splits and modalities."""
    modalities = tuple(sample.describe().modalities)
    sources = sorted(sample.open(modalities).items())
    rows = [source.read(m, np.arange(len(source))) for _, source in sources for m in modalities]
    return [np.asarray(source.targets) for _, source in sources] + rows


def _same_arrays(some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    return len(some) == len(others) and all(map(np.array_equal, some, others))


def _differ(one: Dataset, other: Dataset) -> bool:
    modalities = tuple(one.describe().modalities)
    a, b = one.open(modalities), other.open(modalities)
    if a.keys() != b.keys():
        return True
    return any(
        not np.array_equal(a[split].targets, b[split].targets)
        or not np.array_equal(a[split].ids, b[split].ids)
        or any(not np.array_equal(_rows(a[split], m), _rows(b[split], m)) for m in modalities)
        for split in a
    )


def _rows(source: Source, modality: str) -> np.ndarray:
    return source.read(modality, np.arange(min(len(source), 16)))


def _augments(what: str, sample: Dataset, source: Source, modality: str, role: Role) -> None:
    """A transform depends on (seed, epoch, sample), not on its batch; the last one gives the shape."""
    steps = works(f"augmentations({modality!r}, {role!r})", sample.augmentations, modality, role)
    info = sample.describe().modalities[modality]
    samples = np.arange(min(len(source), 6))
    batch = raw = torch.from_numpy(np.ascontiguousarray(source.read(modality, samples)))
    for step in steps:
        name = type(step).__name__
        claim(
            isinstance(step, Augmentation), f"augmentations({modality!r}) gives {name}, not an Augmentation"
        )
        done = works(f"{what}: {name}", unsynced, name, step, batch, 1, 1, samples)
        claim(done.dtype == batch.dtype and len(done) == len(batch), f"{name} changes dtype or batch size")
        backwards = step(batch.flip(0), 1, 1, samples[::-1].copy()).flip(0)
        claim(torch.equal(done, backwards), f"{name} depends on the batch, not on the sample alone")
        claim(torch.equal(done, step(batch, 1, 1, samples)), f"{name} is not the same when done twice")
        still = torch.equal(done, step(batch, 2, 5, samples))
        claim(still or step.is_random, f"{what}: {name} says that it is not random, and is")
        if role != "train":
            claim(still, f"{what}: {name} is random; only training may be")
            claim(not step.is_random, f"{what}: {name} is not random, and is_random says that it is")
        batch = done
    claim(
        batch.shape[1:] == info.shape,
        f"{what}: augmentations({modality!r}, {role!r}) make {tuple(raw.shape[1:])} into "
        f"{tuple(batch.shape[1:])}, describe() promises {info.shape}",
    )
