"""MATLAB files (versions 5 to 7) that hold arrays and strings, and nothing else.

A .mat file can also hold objects, function handles and other things that mean something to a program. What
holds any of those is refused as a whole. The format is read here, since scipy's reader, which is written for
files that are whole, ends the process at some damaged ones. Source of the format: MathWorks, MAT-File Format.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import attrs
import numpy as np

from mmspec.plugins.api import DataError

_Order = Literal["<", ">"]

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_CHAR, _OPAQUE = 4, 17
_LARGEST = 2**31  # bytes of one variable; more is no recording, but an archive that bursts the memory

#: Classes of arrays, as numpy's types.
_ARRAYS = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_OTHERS = {1: "cell", 2: "struct", 3: "object", 5: "sparse", 16: "function", _OPAQUE: "opaque"}
#: Types in which numbers are stored, and encodings of text.
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}


@attrs.frozen(eq=False)
class _Variable:
    """A variable of which nothing is read but its class (by number) and name."""

    number: int
    is_complex: bool
    name: str
    shape: tuple[int, ...]
    rest: _Elements


def read_mat(path: Path, names: Sequence[str], *, hint: str) -> dict[str, np.ndarray]:
    """The variables of these names: numbers as arrays, matrices of characters as (rows,) of text.

    Raises:
        DataError: the file cannot be read, lacks a variable, or holds what is neither array nor string;
            all with this `hint`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint=hint) from None
    order = _byte_order(path, content, hint)
    try:
        variables = list(_variables(content, order))
        _check_kinds(path, variables, hint)
        _check_names(path, [v.name for v in variables], names, hint)
        return {v.name: _value(v, order) for v in variables if v.name in names}
    except (ValueError, ArithmeticError, MemoryError, struct.error, zlib.error) as error:
        raise DataError(f"{path} is damaged or cut off: {error}", hint=hint) from None


def _byte_order(path: Path, content: bytes, hint: str) -> _Order:
    if content.startswith((b"MATLAB 7.3 MAT-file", b"\x89HDF\r\n\x1a\n")):
        raise DataError(
            f"{path} is of MATLAB's version 7.3, which is another format", hint="save it with -v7 in MATLAB"
        )
    version, mark = content[_HEADER - 4 : _HEADER - 2], content[_HEADER - 2 : _HEADER]
    if (version, mark) == (b"\x00\x01", b"IM"):
        return "<"
    if (version, mark) == (b"\x01\x00", b"MI"):
        return ">"
    raise DataError(f"{path} is not a MATLAB file of version 5 to 7", hint=hint)


def _check_kinds(path: Path, variables: Sequence[_Variable], hint: str) -> None:
    plain = {_CHAR, *_ARRAYS}
    if strange := [
        f"{v.name or 'without name'} ({_OTHERS.get(v.number, 'unknown')})"
        for v in variables
        if v.number not in plain
    ]:
        raise DataError(f"{path} holds what is neither array nor string: {', '.join(strange)}", hint=hint)


def _check_names(path: Path, found: Sequence[str], names: Sequence[str], hint: str) -> None:
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise DataError(f"{path} holds more than one variable {', '.join(twice)}", hint=hint)
    if missing := [name for name in names if name not in found]:
        held = ", ".join(found) or "nothing"
        raise DataError(f"{path} has no variable {' and no '.join(missing)}; it holds {held}", hint=hint)


# ---------------------------------------------------------------- the format


@attrs.define(eq=False)
class _Elements:
    """Data elements one after another: each has a tag of its type and length."""

    data: memoryview
    order: _Order
    at: int = 0

    def more(self) -> bool:
        """Whether anything is left."""
        return self.at < len(self.data)

    def next(self) -> tuple[int, memoryview]:
        """The type of the next element, and what it holds.

        Raises:
            ValueError: it is not all there.
        """
        first, length = struct.unpack_from(f"{self.order}II", self.data, self.at)
        start = self.at + 8
        if first >> 16:  # short ones have type and length in one word, and the data in the next
            first, length, start = first & 0xFFFF, first >> 16, self.at + 4
            if length > 4:
                raise ValueError("an element is longer than it can be")
        if start + length > len(self.data):
            raise ValueError(f"{length} bytes should follow, and {len(self.data) - start} do")
        end = start + length
        self.at = end if first == _COMPRESSED else end + -end % 8  # only these are not padded
        return first, self.data[start:end]


def _variables(content: bytes, order: _Order) -> Iterator[_Variable]:
    elements = _Elements(memoryview(content)[_HEADER:], order)
    while elements.more():
        kind, data = elements.next()
        if kind == _COMPRESSED:
            kind, data = _Elements(_inflated(data, order), order).next()
        if kind != _MATRIX:
            raise ValueError(f"a variable is of type {kind}")
        yield _variable(_Elements(data, order))


def _inflated(data: memoryview, order: _Order) -> memoryview:
    """The one element that a compressed one holds."""
    stream = zlib.decompressobj()
    tag = stream.decompress(data, 8)
    _, length = struct.unpack(f"{order}II", tag)
    if length > _LARGEST:
        raise ValueError(f"a variable of {length} bytes is too large")
    return memoryview(tag + stream.decompress(stream.unconsumed_tail, length or 1))


def _variable(parts: _Elements) -> _Variable:
    _, flags = parts.next()
    (word,) = struct.unpack_from(f"{parts.order}I", flags)
    number = word & 0xFF
    shape: tuple[int, ...] = ()
    if number != _OPAQUE:  # which has no shape
        _, lengths = parts.next()
        shape = struct.unpack(f"{parts.order}{len(lengths) // 4}i", lengths)
    _, name = parts.next()
    return _Variable(number, bool(word & 0x800), bytes(name).decode("ascii"), shape, parts)


def _value(variable: _Variable, order: _Order) -> np.ndarray:
    """The numbers or texts of a variable; columns are stored one after another."""
    if len(variable.shape) < 2 or min(variable.shape) < 0:
        raise ValueError(f"{variable.name} has shape {variable.shape}")
    kind, data = variable.rest.next()
    if variable.number == _CHAR:
        return _rows_of_text(variable, kind, data, order)
    values = _numbers(variable, kind, data, order)
    if variable.is_complex:
        values = values + 1j * _numbers(variable, *variable.rest.next(), order)
    return values


def _numbers(variable: _Variable, kind: int, data: memoryview, order: _Order) -> np.ndarray:
    """Numbers in the type of their class, whatever smaller type they are stored in."""
    if kind not in _NUMBERS:
        raise ValueError(f"the numbers of {variable.name} are of type {kind}")
    stored = np.frombuffer(data, dtype=np.dtype(_NUMBERS[kind]).newbyteorder(order))
    if len(stored) != math.prod(variable.shape):
        raise ValueError(f"{variable.name} has {len(stored)} numbers for shape {variable.shape}")
    with np.errstate(all="ignore"):  # damaged ones may not fit
        numbers = stored.astype(_ARRAYS[variable.number])
    return numbers.reshape(variable.shape, order="F")


def _rows_of_text(variable: _Variable, kind: int, data: memoryview, order: _Order) -> np.ndarray:
    if kind not in _ENCODINGS or len(variable.shape) != 2:
        raise ValueError(f"the characters of {variable.name} are of type {kind}, shape {variable.shape}")
    encoding = _ENCODINGS[kind]
    if encoding.startswith("utf-") and encoding != "utf-8":
        encoding += "-le" if order == "<" else "-be"
    text = bytes(data).decode(encoding)
    rows, columns = variable.shape
    if len(text) != rows * columns or rows > len(text):  # rows of nothing can be any number
        raise ValueError(f"{variable.name} has {len(text)} characters for shape {variable.shape}")
    return np.array([text[row::rows] for row in range(rows)], dtype=np.str_)
