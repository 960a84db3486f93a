"""Plain values to typed ones, strictly: nothing is coerced but an integer to a float.

cattrs finds the hook for a type; the hooks here gather every mistake of a value instead of stopping at the
first, each with its path. Validators run field by field, so that a refused value is found at its place.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Union, get_args, get_origin

import attrs
import cattrs

from mmspec.spec.scan import Path as TreePath
from mmspec.spec.words import describe, nearest, show, suggestion


@attrs.frozen
class Misfit:
    """One thing wrong with a value: `what` ends the sentence that the value's path begins."""

    what: str
    path: TreePath = ()
    hint: str | None = None
    on_key: bool = False


class MisfitError(Exception):
    """A value does not fit its type; with all that is wrong."""

    def __init__(self, misfits: Sequence[Misfit]) -> None:
        super().__init__("; ".join(m.what for m in misfits))
        self.misfits = tuple(misfits)

    def below(self, step: str | int) -> list[Misfit]:
        """The misfits as seen from one level up."""
        return [attrs.evolve(m, path=(step, *m.path)) for m in self.misfits]


def structure(value: Any, kind: Any) -> Any:
    """`value` as a `kind`.

    Raises:
        MisfitError: it does not fit.
    """
    return _converter.structure(value, kind)


@lru_cache(maxsize=1024)
def fields(cls: type) -> Mapping[str, attrs.Attribute[Any]]:
    """The fields of an attrs class that a spec may set, with their types resolved.

    Raises:
        NameError: an annotation names what its module does not know when it runs.
    """
    attrs.resolve_types(cls)
    return {field.name: field for field in attrs.fields(cls) if field.init}


def structure_fields(
    cls: type,
    table: Mapping[str, Any],
    *,
    unknown: Callable[[str, list[str]], Misfit] | None = None,
    skip: frozenset[str] = frozenset(),
) -> Any:
    """An instance of an attrs class from a table; `unknown` words the misfit of a key it does not have.

    Validators may look at other fields of the instance they are given: it holds those that are understood.

    Raises:
        MisfitError: with all that is wrong: unknown keys, missing keys, wrong values, refused values.
    """
    known = {name: field for name, field in fields(cls).items() if name not in skip}
    misfits: list[Misfit] = []
    for name in table:
        if name not in known:
            word = unknown or _unknown_key
            misfits.append(attrs.evolve(word(name, list(known)), path=(name,), on_key=True))
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in table:
            try:
                values[name] = structure(table[name], field.type)
            except MisfitError as error:
                misfits += error.below(name)
        elif field.default is attrs.NOTHING:
            misfits.append(missing(name, field))
    absent = {name: field for name, field in known.items() if name not in table}
    sketch = SimpleNamespace(**_defaults(absent), **values)
    for name, value in values.items():
        try:
            _validate(known[name], value, sketch)
        except MisfitError as error:
            misfits += error.below(name)
        except AttributeError:
            if not misfits:  # else the field it looks at is mistaken itself, and told of
                raise
    if misfits:
        raise MisfitError(misfits)
    try:
        return cls(**{known[name].alias or name: value for name, value in values.items()})
    except (ValueError, TypeError) as error:
        raise MisfitError([Misfit(f"cannot be: {error}")]) from error


def missing(name: str, field: attrs.Attribute[Any]) -> Misfit:
    """The misfit of a table without a key that it must have."""
    help_text = field.metadata.get("help")
    meaning = f": {help_text}" if help_text else ""
    return Misfit(f"{name} is missing", hint=f"add {name} = … ({expectation(field.type)}){meaning}")


def _unknown_key(name: str, known: list[str]) -> Misfit:
    return Misfit("no such key", hint=suggestion(name, known, of="keys here"))


def _defaults(absent: Mapping[str, attrs.Attribute[Any]]) -> dict[str, Any]:
    """The values that fields take of themselves, but for those that are made for each instance."""
    makers: Any = attrs.Factory
    given = {name: field.default for name, field in absent.items() if field.default is not attrs.NOTHING}
    return {name: value for name, value in given.items() if not isinstance(value, makers)}


def _validate(field: attrs.Attribute[Any], value: Any, sketch: SimpleNamespace) -> None:
    """Refuse what the field's validator refuses.

    Raises:
        MisfitError: it is refused.
        AttributeError: the validator looks at a field that is not there.
    """
    if field.validator is None:
        return
    try:
        field.validator(sketch, field, value)
    except (MisfitError, AttributeError):
        raise
    except Exception as error:  # whatever a validator raises refuses the value
        raise MisfitError([Misfit(str(error.args[0]) if error.args else "is refused")]) from error


# ---------------------------------------------------------------- what is expected, in words

_WORDS: dict[Any, tuple[str, str]] = {
    bool: ("true or false", "booleans"),
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    str: ("a string", "strings"),
    Path: ("a path", "paths"),
    Any: ("any value", "values"),
}


def expectation(kind: Any) -> str:
    """What a type wants, in words: `an integer`, `a list of strings`."""
    if kind in _WORDS:
        return _WORDS[kind][0]
    arguments = get_args(kind)
    if _is_union(kind):
        return " or ".join(expectation(arm) for arm in arguments if arm is not type(None))
    if get_origin(kind) is Literal:
        words = [show(a) for a in arguments]
        return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    if _is_list(kind):
        inner = arguments[0] if arguments else Any
        return f"a list of {_WORDS[inner][1]}" if inner in _WORDS else "a list"
    return "a table"


def _mismatch(kind: Any, value: Any, hint: str | None = None) -> MisfitError:
    return MisfitError([Misfit(f"expected {expectation(kind)}, not {describe(value)}", hint=hint)])


# ---------------------------------------------------------------- the hooks


def _bool(value: Any, _: object) -> bool:
    if isinstance(value, bool):
        return value
    hint = f"write {value} without quotes" if value in ("true", "false") else None
    raise _mismatch(bool, value, hint)


def _int(value: Any, _: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    raise _mismatch(int, value, f"write {int(value)}" if whole else _unquote(value, int))


def _float(value: Any, _: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if math.isnan(value):
            raise MisfitError([Misfit("expected a number, not nan")])
        return float(value)
    raise _mismatch(float, value, _unquote(value, float))


def _unquote(value: Any, number: type[int] | type[float]) -> str | None:
    """A hint for a number that was written as a string."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        number(value)
    except ValueError:
        return None
    return f"write {value.strip()} without quotes"


def _str(value: Any, _: object) -> str:
    if isinstance(value, str):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    raise _mismatch(str, value, f'write "{show(value)}"' if number else None)


def _path(value: Any, _: object) -> Path:
    if not isinstance(value, str):
        raise _mismatch(Path, value)
    if not value or any(ord(c) < 32 for c in value):
        raise MisfitError([Misfit(f"{show(value)} is no path")])
    return Path(value)


def _any(value: Any, _: object) -> Any:
    if isinstance(value, dict):
        return {k: _any(v, Any) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_any(v, Any) for v in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return _float(value, float)
    raise MisfitError([Misfit("dates and times have no use here", hint="put it in quotes")])


def _literal(value: Any, kind: Any) -> Any:
    allowed = get_args(kind)
    for choice in allowed:
        if type(choice) is type(value) and choice == value:
            return value
    close = nearest(value, [a for a in allowed if isinstance(a, str)]) if isinstance(value, str) else None
    raise _mismatch(kind, value, f"did you mean {show(close)}?" if close else None)


def _sequence(value: Any, kind: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise _mismatch(kind, value, "write [ … ] around it" if not isinstance(value, dict) else None)
    arguments = get_args(kind) or (Any, ...)
    fixed = get_origin(kind) is tuple and Ellipsis not in arguments
    if fixed and len(value) != len(arguments):
        raise MisfitError([Misfit(f"expected a list of {len(arguments)}, not of {len(value)}")])
    inner = arguments if fixed else (arguments[0],) * len(value)
    items, misfits = [], []
    for index, item in enumerate(value):
        try:
            items.append(structure(item, inner[index]))
        except MisfitError as error:
            misfits += error.below(index)
    if misfits:
        raise MisfitError(misfits)
    return tuple(items) if get_origin(kind) in (tuple, Sequence) or kind is tuple else items


def _mapping(value: Any, kind: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _mismatch(kind, value)
    inner = get_args(kind)[1] if get_args(kind) else Any
    items, misfits = {}, []
    for name, item in value.items():
        try:
            items[name] = structure(item, inner)
        except MisfitError as error:
            misfits += error.below(name)
    if misfits:
        raise MisfitError(misfits)
    return items


def _union(value: Any, kind: Any) -> Any:
    arms = [arm for arm in get_args(kind) if arm is not type(None)]
    if value is None and len(arms) < len(get_args(kind)):
        return None
    errors = []
    for arm in arms:
        try:
            return structure(value, arm)
        except MisfitError as error:
            errors.append(error)
    inside = [error for error in errors if any(m.path for m in error.misfits)]
    if inside or len(arms) == 1:  # the value has the right form, but its parts are wrong
        raise (inside or errors)[0]
    raise _mismatch(kind, value)


def _record(cls: type) -> Callable[[Any, Any], Any]:
    def structure_record(value: Any, _: object) -> Any:
        if not isinstance(value, Mapping):
            raise MisfitError([Misfit(f"expected a table, not {describe(value)}")])
        return structure_fields(cls, value)

    return structure_record


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _is_list(kind: Any) -> bool:
    return kind in (tuple, list) or get_origin(kind) in (tuple, list, Sequence)


def _is_mapping(kind: Any) -> bool:
    return kind is dict or get_origin(kind) in (dict, Mapping)


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    by_type: dict[Any, Callable[..., Any]] = {bool: _bool, int: _int, float: _float, str: _str, Path: _path}
    by_form: dict[Callable[[Any], bool], Callable[..., Any]] = {
        lambda kind: kind is Any: _any,
        _is_list: _sequence,
        _is_mapping: _mapping,
        _is_literal: _literal,
        _is_union: _union,
    }
    for kind, hook in by_type.items():
        converter.register_structure_hook(kind, hook)
    for accepts, hook in by_form.items():
        converter.register_structure_hook_func(accepts, hook)
    converter.register_structure_hook_factory(attrs.has, _record)
    return converter


_converter = _make_converter()


def plain(value: Any) -> Any:
    """A typed value as plain JSON: tables of every field, lists for tuples, strings for paths."""
    kind: Any = type(value)
    if attrs.has(kind):
        return {name: plain(getattr(value, name)) for name in fields(kind)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value
