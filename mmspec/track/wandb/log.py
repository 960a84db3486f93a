"""The framing of the files that W&B writes: records in, bytes out, and back.

A header of 7 bytes (`:W&B`, 0xBEE1, version 0), then the framing of LevelDB's logs: blocks of 32 KiB with
chunks of (CRC-32, length, kind), a record being one whole chunk or several in a row.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from mmspec.errors import Location, Problem, RecordError

BLOCK = 32 * 1024
_HEAD = struct.Struct("<4sHB")
_CHUNK = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_MAGIC = (b":W&B", 0xBEE1, 0)


@attrs.define(eq=False)
class Log:
    """A file as its records; `damage` says why its rest could not be read, once they have been."""

    path: Path
    damage: str | None = None

    def records(self) -> Iterator[bytes]:
        """The records, up to where the file ends or is damaged; an end that is torn is no damage.

        Raises:
            RecordError: it cannot be read, or is no file of W&B.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise RecordError(
                Problem(f"cannot be read: {error.strerror}", Location(str(self.path)))
            ) from None
        if len(content) < _HEAD.size or _HEAD.unpack_from(content) != _MAGIC:
            what = "is no file of W&B, or of an unknown version"
            raise RecordError(Problem(what, Location(str(self.path))))
        yield from self._chunks(memoryview(content))

    def _chunks(self, content: memoryview) -> Iterator[bytes]:
        at, parts = _HEAD.size, bytearray()
        while at + _CHUNK.size <= len(content):
            if BLOCK - at % BLOCK < _CHUNK.size:  # too short for a chunk: padding
                at += BLOCK - at % BLOCK
                continue
            checksum, length, kind = _CHUNK.unpack_from(content, at)
            data = content[at + _CHUNK.size : at + _CHUNK.size + length]
            if len(data) < length or not (kind or checksum or length):  # torn, or zeros of a file system
                return
            if _checksum(kind, data) != checksum:
                if any(content[at + _CHUNK.size + length :]):  # what was not written yet may be zeros
                    self.damage = f"a checksum does not match at byte {at}"
                return
            at += _CHUNK.size + length
            if kind in (_WHOLE, _FIRST):
                parts.clear()
            parts += data
            if kind in (_WHOLE, _LAST):
                yield bytes(parts)


def encode(records: Iterable[bytes]) -> bytes:
    """The bytes of a file with these records."""
    out = bytearray(_HEAD.pack(*_MAGIC))
    for record in records:
        rest, begun = memoryview(record), False
        while True:
            room = BLOCK - len(out) % BLOCK
            if room < _CHUNK.size:
                out += bytes(room)
                continue
            part, rest = rest[: room - _CHUNK.size], rest[room - _CHUNK.size :]
            kind = (_MIDDLE if rest else _LAST) if begun else (_FIRST if rest else _WHOLE)
            out += _CHUNK.pack(_checksum(kind, part), len(part), kind)
            out += part
            begun = True
            if not rest:
                break
    return bytes(out)


def _checksum(kind: int, data: memoryview) -> int:
    return zlib.crc32(data, zlib.crc32(bytes([kind])))
