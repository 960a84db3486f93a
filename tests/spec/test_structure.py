from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Optional

import attrs
import pytest

from mmspec.spec.structure import MisfitError, expectation, plain, structure


@attrs.frozen(kw_only=True)
class Inner:
    size: int = attrs.field()
    names: tuple[str, ...] = ()

    @size.validator
    def _even(self, attribute, value):
        if value % 2:
            raise ValueError("must be even")


@attrs.frozen(kw_only=True)
class Outer:
    inner: Inner
    rate: float = 0.5
    where: Path = Path("x")
    more: dict[str, Inner] | None = None


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1, int, 1),
        (1, float, 1.0),
        (float("inf"), float, float("inf")),
        ("x", str, "x"),
        (False, bool, False),
        ("a/b", Path, Path("a/b")),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([1], list[int], [1]),
        ([1], Sequence[int], (1,)),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        ({"a": 1}, Mapping[str, int], {"a": 1}),
        (None, Optional[int], None),  # noqa: UP045
        (3, int | None, 3),
        (1, float | str, 1.0),
        ("auto", float | Literal["auto"], "auto"),
        ("max", Literal["max", "min"], "max"),
        ([1, {"a": [True, "x"]}], Any, [1, {"a": [True, "x"]}]),
        ({"inner": {"size": 2}}, Outer, Outer(inner=Inner(size=2))),
        (
            {"inner": {"size": 2, "names": ["a"]}, "more": {"m": {"size": 4}}},
            Outer,
            Outer(inner=Inner(size=2, names=("a",)), more={"m": Inner(size=4)}),
        ),
    ],
)
def test_values_that_fit(value, kind, expected):
    found = structure(value, kind)

    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, int), (1.0, int), ("1", int), (None, int), ([1], int),
        (True, float), ("1.5", float), (float("nan"), float), (None, float),
        (1, str), (True, str), (None, str),
        (0, bool), ("true", bool), (None, bool),
        (1, Path), ("", Path), ("a\0b", Path),
        ("ab", tuple[str, ...]), ({"a": 1}, tuple[str, ...]), ([1, 2, 3], tuple[int, int]), (None, list[int]),
        ([], dict[str, int]), ({"a": "b"}, dict[str, int]),
        (1, Literal["1"]), (True, Literal[1]), (1, Literal[True]), ("mx", Literal["max", "min"]),
        ("x", int | None), (True, int | str), (None, int | str),
        (3, Outer), ([], Outer),
    ],
)  # fmt: skip
def test_values_that_do_not(value, kind):
    with pytest.raises(MisfitError):
        structure(value, kind)


def test_all_misfits_at_once_with_their_paths():
    wrong = {
        "inner": {"size": 3, "names": ["a", 1, 2], "extra": 0},
        "rate": "fast",
        "more": {"m": {}, "n": {"size": "2"}},
        "ouput": 1,
    }

    with pytest.raises(MisfitError) as caught:
        structure(wrong, Outer)

    assert {misfit.path: misfit.what for misfit in caught.value.misfits} == {
        ("inner", "size"): "must be even",
        ("inner", "names", 1): "expected a string, not the integer 1",
        ("inner", "names", 2): "expected a string, not the integer 2",
        ("inner", "extra"): "no such key",
        ("rate",): 'expected a number, not the string "fast"',
        ("more", "m"): "size is missing",
        ("more", "n", "size"): 'expected an integer, not the string "2"',
        ("ouput",): "no such key",
    }


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int, "an integer"),
        (float | None, "a number"),
        (tuple[str, ...], "a list of strings"),
        (list[Inner], "a list"),
        (Literal["a", "b"], 'one of "a", "b"'),
        (int | Literal["auto"], 'an integer or "auto"'),
        (dict[str, int], "a table"),
        (Inner, "a table"),
    ],
)
def test_expectations_in_words(kind, words):
    assert expectation(kind) == words


def test_plain_is_what_json_holds():
    value = Outer(inner=Inner(size=2, names=("a",)), more={"m": Inner(size=4)})

    assert plain(value) == {
        "inner": {"size": 2, "names": ["a"]},
        "rate": 0.5,
        "where": "x",
        "more": {"m": {"size": 4, "names": []}},
    }


@attrs.frozen(kw_only=True)
class Crop:
    resize: int = attrs.field(default=256)
    size: int = attrs.field(default=224)

    @size.validator
    def _fits(self, attribute, value):
        if value > self.resize:
            raise ValueError(f"must be {self.resize} or below")


def test_validators_may_look_at_other_fields():
    assert structure({"size": 200}, Crop) == Crop(size=200)
    assert structure({"size": 300, "resize": 400}, Crop) == Crop(size=300, resize=400)
    for table, said in (
        ({"size": 300}, ["must be 256 or below"]),
        ({"size": 300, "resize": 299}, ["must be 299 or below"]),
        ({"size": 300, "resize": "x"}, ["expected an integer"]),  # what looks at it is told another time
    ):
        with pytest.raises(MisfitError) as caught:
            structure(table, Crop)
        assert [m.what.partition(",")[0] for m in caught.value.misfits] == said
        assert all(m.path in (("size",), ("resize",)) for m in caught.value.misfits)
