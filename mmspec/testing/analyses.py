"""Does an analysis keep its promises?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from numbers import Real

import attrs
import numpy as np
import torch

from mmspec.errors import DataError
from mmspec.plugins.api import Analysis, AnalysisResult, FeatureTable, LabelledArray, StageOutput
from mmspec.testing.arrays import alike, check_arrays
from mmspec.testing.claims import ConformanceError, claim, same, works
from mmspec.testing.options import check_options

Inputs = Mapping[str, StageOutput]

CLASSES = ("a", "b", "c")
OBJECTS, VIEWS, COLUMNS = 9, 10, 12


def check_analysis(plugin: Analysis, inputs: Inputs | None = None) -> None:
    """Check an analysis on these inputs, by default toy ones.

    A toy table has 90 samples of nine objects (grouping "object") of three classes, in train, val and test;
    any other toy stage has measured loss, accuracy, sensitivity and specificity on these splits, and has left
    the array accuracy of ten draws. Options of the plugin should fit that, or inputs of your own be given.
    """
    check_options(plugin)
    _says_what_it_reads(type(plugin))
    small = works("smoke()", plugin.smoke)
    claim(type(small) is type(plugin), f"smoke() gives {type(small).__name__}, not {type(plugin).__name__}")
    given = toy_inputs(type(plugin)) if inputs is None else _read_only(inputs)
    result = _analyse(plugin, given)
    _can_be_recorded(result)
    _analyse(small, given)
    _is_deterministic(plugin, given, result)
    several = _analyse(plugin, given, workers=3)
    claim(_alike(result, several), "analyse() gives another result with three workers than with one")
    _refuses_in_words(plugin, given)


def toy_inputs(cls: type[Analysis]) -> dict[str, StageOutput]:
    """What an analysis may read, by its own names: two inputs of a kind are of the same samples."""
    tables = {name: toy_table(name, seed) for seed, name in enumerate(cls.tables)}
    inputs = {name: StageOutput(name, {}, table=table) for name, table in tables.items()}
    for seed, name in enumerate(cls.outputs):
        drawn = np.random.default_rng(seed)
        values = {f"{split}/{what}": float(drawn.uniform()) for split in _SPLITS for what in _MEASURED}
        accuracy = LabelledArray(drawn.uniform(size=10), ("draw",), (tuple(map(str, range(10))),))
        inputs[name] = StageOutput(name, values, {f"{name}/accuracy": accuracy})
    return inputs


_SPLITS = ("train", "val", "test")
_MEASURED = ("loss", "accuracy", "sensitivity", "specificity")


def toy_table(name: str, seed: int = 0) -> FeatureTable:
    """Features with a class and an object in them, under noise; nothing in it can be written to."""
    drawn = np.random.default_rng(seed)
    samples = OBJECTS * VIEWS
    objects = np.arange(samples) % OBJECTS
    targets = objects % len(CLASSES)
    centres = (
        drawn.normal(0, 2, (len(CLASSES), COLUMNS))[targets] + drawn.normal(0, 1, (OBJECTS, COLUMNS))[objects]
    )
    values = (centres + drawn.normal(0, 1, (samples, COLUMNS))).astype(np.float32)
    splits = np.repeat(_SPLITS, samples // 3)
    groups = {"object": np.array([f"object {number}" for number in objects])}
    return _frozen(FeatureTable(values, np.arange(samples), targets, splits, groups, CLASSES, name))


def _says_what_it_reads(cls: type[Analysis]) -> None:
    for what in ("tables", "outputs"):
        names = getattr(cls, what)
        fits = isinstance(names, tuple) and all(
            isinstance(name, str) and name.isidentifier() for name in names
        )
        claim(fits, f"{what} is {names!r}, not a tuple of plain names")
    names = (*cls.tables, *cls.outputs)
    claim(names, "it reads nothing: name what it reads in `tables` and `outputs`")
    claim(len(set(names)) == len(names), f"`tables` and `outputs` name one input twice: {names}")
    untold = [name for name in names if name not in (cls.__doc__ or "")]
    claim(not untold, f"the docstring does not say what {', '.join(untold)} is, which it reads")


def _analyse(plugin: Analysis, inputs: Inputs, workers: int = 1) -> AnalysisResult:
    before = _contents(inputs)
    result = works("analyse()", lambda: plugin.analyse(inputs, workers=workers))
    claim(isinstance(result, AnalysisResult), f"analyse() gives {type(result).__name__}, no AnalysisResult")
    claim(same(before, _contents(inputs)), "analyse() changes what it reads")
    return result


def _can_be_recorded(result: AnalysisResult) -> None:
    values, arrays = result.values, result.arrays
    claim(isinstance(values, Mapping), "analyse() must give values by name")
    check_arrays("analyse()", arrays)
    claim(values or arrays, "analyse() gives neither values nor arrays")
    for name in (*values, *arrays):
        fits = isinstance(name, str) and name and "/" not in name
        claim(fits, f"{name!r} is no plain name: it becomes STAGE/name")
    for name, value in values.items():
        plain = isinstance(value, Real) and isinstance(value, int | float) and not isinstance(value, bool)
        claim(plain, f"{name!r} is {type(value).__name__}, not a plain number")
    lines = not isinstance(result.remarks, str) and all(isinstance(line, str) for line in result.remarks)
    claim(lines, "remarks must be lines of text")


def _is_deterministic(plugin: Analysis, inputs: Inputs, result: AnalysisResult) -> None:
    """Whatever it draws, it draws from a generator of its own."""
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        before = _states()
        again = _analyse(plugin, inputs)
        claim(
            _alike(result, again),
            "analyse() is not deterministic: what it draws must be keyed by an option of its own",
        )
        claim(_states() == before, "analyse() draws from a global random state")
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])


def _refuses_in_words(plugin: Analysis, inputs: Inputs) -> None:
    """A table that cannot be analysed, of one sample, is told in a DataError, if it is not analysed."""
    for name, output in inputs.items():
        if output.table is not None:
            one = attrs.evolve(output, table=_frozen(output.table.rows(np.arange(1))))
            try:
                plugin.analyse({**inputs, name: one}, workers=1)
            except DataError:
                continue
            except Exception as error:
                told = f"{type(error).__name__}, and no DataError: {error}"
                raise ConformanceError(f"with one sample in {name}, analyse() raises {told}") from error


def _alike(one: AnalysisResult, other: AnalysisResult) -> bool:
    return same(dict(one.values), dict(other.values)) and alike(one.arrays, other.arrays, exactly=True)


def _states() -> str:
    return str((random.getstate(), np.random.get_state(), torch.get_rng_state().sum()))


def _contents(inputs: Inputs) -> dict[str, object]:
    """All that inputs hold, as bytes and plain values."""
    return {
        name: [
            dict(output.values),
            {key: array.values.tobytes() for key, array in output.arrays.items()},
            [] if output.table is None else [column.tobytes() for column in _columns(output.table)],
        ]
        for name, output in inputs.items()
    }


def _columns(table: FeatureTable) -> list[np.ndarray]:
    return [table.values, table.ids, table.targets, table.splits, *table.groups.values()]


def _read_only(inputs: Inputs) -> dict[str, StageOutput]:
    return {
        name: output if output.table is None else attrs.evolve(output, table=_frozen(output.table))
        for name, output in inputs.items()
    }


def _frozen(table: FeatureTable) -> FeatureTable:
    """The table as it is read from files: its features cannot be written to."""
    values = table.values.view()
    values.flags.writeable = False
    return attrs.evolve(table, values=values)
