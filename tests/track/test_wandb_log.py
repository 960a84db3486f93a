"""Records survive the framing of W&B's files, whatever their length."""

from __future__ import annotations

import random

import pytest

from mmspec.errors import RecordError
from mmspec.track.wandb.log import BLOCK, Log, encode


def test_records_come_back(tmp_path):
    draw = random.Random(0)
    lengths = [
        0,
        1,
        7,
        BLOCK - 14,
        BLOCK - 7,
        BLOCK,
        3 * BLOCK + 5,
        *(draw.randrange(300) for _ in range(900)),
    ]
    records = [draw.randbytes(length) for length in lengths]
    (tmp_path / "log").write_bytes(encode(records))

    log = Log(tmp_path / "log")

    assert list(log.records()) == records
    assert log.damage is None


@pytest.mark.parametrize("lost", [1, 5, 26])
def test_a_torn_end_is_no_damage(tmp_path, lost):
    (tmp_path / "log").write_bytes(encode([b"a" * 20, b"b" * 20])[:-lost])

    log = Log(tmp_path / "log")

    assert list(log.records()) == [b"a" * 20]
    assert log.damage is None


def test_what_is_no_log_is_refused(tmp_path):
    (tmp_path / "log").write_bytes(b"something else")
    with pytest.raises(RecordError, match="no file of W&B"):
        list(Log(tmp_path / "log").records())
