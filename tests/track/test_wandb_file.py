"""Our reader of W&B's files, on files of the real client."""

from __future__ import annotations

import json
import math
import shutil
import struct
import time
import zlib

import pytest
from fake_runs import rows_of, write_run
from offline_runs import history, read_offline
from recorded_elsewhere import columns_of, facts, record

from mmspec.errors import RecordError
from mmspec.records import load_run
from mmspec.track.wandb.file import read_history, read_segment
from mmspec.track.wandb.files import WandbFiles
from mmspec.track.wandb.log import BLOCK, Log

VALUES = {"test/accuracy": 0.1 + 0.2, "test/accuracy.grey": 1.0, "test/u(color|grey)": -0.25}


@pytest.fixture
def run(tmp_path):
    rows = [*rows_of("guided", 0), {"kind": "epoch", "stage": "train", "step": 420, "epoch": 12,
            "values": {"train/loss": 0.5, "val/accuracy": 0.25}}]  # fmt: skip
    return load_run(write_run(tmp_path / "runs", {"variant": "guided"}, 0, VALUES, rows=rows))


def read(address, tmp_path):
    said = []
    runs = WandbFiles().read(
        address, beside=tmp_path, cache=tmp_path / "cache", refresh=False, say=said.append
    )
    return runs, said


def only_file(folder):
    (file,) = folder.rglob("*.wandb")
    return file


def test_a_file_says_what_was_recorded(user, tmp_path, run):
    record(run, tmp_path / "track", mode="offline")
    ((found,), said) = read("//track", tmp_path)

    assert (found.id, found.status, found.experiment, found.seed) == (run.id, "finished", "colored_digits", 0)
    assert (found.spec, found.identity, found.result) == (run.spec, run.identity, run.result)
    assert found.provenance == run.provenance
    assert json.dumps(found.values) == json.dumps(run.values), "in order, to the last bit"
    assert facts(found.rows()) == facts(run.rows())
    assert found.address == str(only_file(tmp_path / "track"))
    assert not said


def test_our_reader_agrees_with_theirs(user, tmp_path, run):
    record(run, tmp_path / "track", mode="offline")
    file = only_file(tmp_path / "track")
    records = read_offline(file.parent)

    theirs = history(records)
    ours = [{k: v for k, v in row.items() if k == "_step" or k[0] != "_"} for _, row in read_history(file)]
    assert ours == theirs
    assert len(ours) == len(list(columns_of(run))) - 1, "rows of one step are one"
    segment = read_segment(file)
    first = next(record["run"] for record in records if record["type"] == "run")
    assert (segment.run_id, segment.project, segment.entity) == (first["run_id"], "digits", "lab")
    assert segment.config["mmspec_run"] == first["config"]["update"]["mmspec_run"]
    assert segment.exit_code == next(r["exit"] for r in records if r["type"] == "exit").get("exit_code", 0)


def test_parts_of_a_run_that_was_stopped_are_one_run(user, tmp_path, run):
    record(run, tmp_path / "track", mode="offline", status="interrupted", until=200)
    time.sleep(1.1)  # parts are named by the second
    record(run, tmp_path / "track", mode="offline", since=150)  # goes on from a checkpoint
    ((found,), _) = read("//track", tmp_path)

    assert found.status == "finished"
    assert facts(found.rows()) == facts(run.rows())
    first, last = sorted((tmp_path / "track").rglob("*.wandb"))
    ((stopped,), _) = read(f"//{first}", tmp_path)
    assert (stopped.status, stopped.result, stopped.values) == ("unfinished", None, {})
    assert found.address == str(last)


def test_a_torn_end_is_tolerated_wherever_it_is(user, tmp_path, run):
    record(run, tmp_path / "track", mode="offline")
    file = only_file(tmp_path / "track")
    content, rows = file.read_bytes(), len(list(read_history(file)))
    kept = []
    for size in (*range(7, len(content), 997), len(content) - 1):
        file.write_bytes(content[:size])
        assert read_segment(file).damage is None
        kept.append(len(list(read_history(file))))
    assert kept == sorted(kept)
    assert (kept[0], kept[-1]) == (0, rows)


def test_zeros_at_the_end_are_a_torn_end(user, tmp_path, run):
    record(run, tmp_path / "track", mode="offline")
    file = only_file(tmp_path / "track")
    file.write_bytes(file.read_bytes()[:-20] + bytes(4096))

    assert read_segment(file).damage is None


def test_damage_in_the_middle_is_told_and_never_guessed_at(user, tmp_path, run):
    record(run, tmp_path / "track", mode="offline")
    file = only_file(tmp_path / "track")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    runs, said = read("//track", tmp_path)

    assert [found.status for found in runs] in (["running"], [])
    assert "a checksum does not match at byte" in said[0]
    assert str(file) in said[0]


def test_records_longer_than_a_block_are_put_together(tmp_path):
    long, short = bytes(range(256)) * 400, b"short"
    content = bytearray(b":W&B" + struct.pack("<HB", 0xBEE1, 0))
    for data in (short, long, short):
        _append(content, data)
    (tmp_path / "a.wandb").write_bytes(content)
    log = Log(tmp_path / "a.wandb")

    assert list(log.records()) == [short, long, short]
    assert len(content) > 3 * BLOCK
    assert log.damage is None


def _append(log: bytearray, data: bytes) -> None:
    """Write a record as LevelDB's logs have it."""
    first = True
    while True:
        room = BLOCK - len(log) % BLOCK
        if room < 7:
            log += bytes(room)
            continue
        part, data = data[: room - 7], data[room - 7 :]
        kind = (1 if first else 4) if not data else (2 if first else 3)
        log += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
        first = False
        if not data:
            return


def test_numbers_json_does_not_know_survive(user, tmp_path):
    folder = write_run(tmp_path / "runs", {}, 0, {"test/x": math.nan, "test/y": -math.inf})
    record(load_run(folder), tmp_path / "track", mode="offline")
    (runs, said) = read("//track", tmp_path)

    assert not said
    (found,) = runs
    assert math.isnan(found.values["test/x"])
    assert found.values["test/y"] == -math.inf


def test_runs_of_others_and_empty_files_are_passed_over(user, tmp_path, run):
    import wandb

    settings = wandb.Settings(root_dir=str(tmp_path), silent=True, console="off")
    other = wandb.init(project="p", config={"lr": 1}, mode="offline", settings=settings)
    other.log({"loss": 1.0})
    other.finish()
    (tmp_path / "wandb" / "killed.wandb").write_bytes(only_file(tmp_path / "wandb").read_bytes()[:7])
    (tmp_path / "wandb" / "text.wandb").write_text("no")
    record(run, tmp_path / "track", mode="offline")
    shutil.copytree(tmp_path / "track", tmp_path / "wandb" / "copy", symlinks=True)
    runs, said = read(f"//{tmp_path / 'wandb'}", tmp_path)

    assert [found.id for found in runs] == [run.id]
    assert any("text.wandb: is no file of W&B" in line for line in said)
    assert any("2 runs are passed over" in line for line in said)


@pytest.mark.parametrize(
    ("address", "told"),
    [("//nowhere", "no such file or folder"), ("//empty", "holds no .wandb files"), ("//", "names no file"),
     ("", "names no file")],
)  # fmt: skip
def test_what_cannot_be_read_is_told(tmp_path, address, told):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordError, match=told):
        read(address, tmp_path)
