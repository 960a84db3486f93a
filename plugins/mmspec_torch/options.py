"""Validators that several plugins share."""

from __future__ import annotations

from itertools import pairwise


def share(_: object, __: object, value: float) -> None:
    """Accept numbers above 0 and below 1."""
    if not 0 < value < 1:
        raise ValueError(f"must be above 0 and below 1, not {value!r}")


def two_decays(_: object, __: object, values: tuple[float, ...]) -> None:
    """Accept two numbers from 0 up to, but not, 1."""
    if len(values) != 2 or not all(0 <= value < 1 for value in values):
        raise ValueError(f"must be two numbers of 0 or above and below 1, not {list(values)!r}")


def rising(_: object, __: object, values: tuple[int, ...]) -> None:
    """Accept numbers of 1 or above, each larger than the one before."""
    if not values or values[0] < 1 or any(a >= b for a, b in pairwise(values)):
        raise ValueError(f"must be rising numbers of 1 or above, not {list(values)!r}")
