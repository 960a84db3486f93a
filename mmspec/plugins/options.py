"""The options of plugins: fields with a help text, and validators for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs


def option(help: str, **kwargs: Any) -> Any:  # noqa: A002 - reads as the option's help
    """A field of a plugin: an option with its `help`; other arguments go to `attrs.field`.

    Types that TOML can write: bool, int, float, str, Path, Literal, tuple[T, ...], dict[str, T],
    T | None, and attrs classes for tables. A field without default must be given in the spec.
    A validator raises ValueError with a message that ends the sentence "alpha …", e.g. "must be above 0".
    """
    return attrs.field(metadata={"help": help}, **kwargs)


Validator = Callable[[Any, Any, Any], None]


def at_least(low: float) -> Validator:
    """A validator for numbers that may not be smaller than `low`."""

    def validate(_: object, __: object, value: float) -> None:
        if value < low:
            raise ValueError(f"must be {low} or above, not {value!r}")

    return validate


def above(low: float) -> Validator:
    """A validator for numbers larger than `low`."""

    def validate(_: object, __: object, value: float) -> None:
        if value <= low:
            raise ValueError(f"must be above {low}, not {value!r}")

    return validate


def between(low: float, high: float) -> Validator:
    """A validator for numbers in [low, high]."""

    def validate(_: object, __: object, value: float) -> None:
        if not low <= value <= high:
            raise ValueError(f"must be between {low} and {high}, not {value!r}")

    return validate


def below(low: float, high: float) -> Validator:
    """A validator for numbers in [low, high)."""

    def validate(_: object, __: object, value: float) -> None:
        if not low <= value < high:
            raise ValueError(f"must be {low} or above and below {high}, not {value!r}")

    return validate


def one_of(*allowed: object) -> Validator:
    """A validator for values out of a short list."""

    def validate(_: object, __: object, value: object) -> None:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(map(repr, allowed))}, not {value!r}")

    return validate
