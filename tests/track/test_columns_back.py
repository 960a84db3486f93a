"""Rows that went through a tracker come back as they were."""

from __future__ import annotations

import math
import random

from mmspec.plugins.recorded import RecordedRow
from mmspec.track.columns import to_columns, to_rows

STAGES = ["animals", "all"]


def rows():
    for stage, steps in (("animals", 70), ("all", 40)):
        for step in range(10, steps + 1, 10):
            yield RecordedRow(
                "step", stage, step, 1 + (step - 1) // 35, {"train/loss": step / 3, "train/lr": 0.1}
            )
            if step % 35 == 0 or step == steps:
                values = {"train/loss": step / 2, "val/accuracy": math.inf, "val/accuracy.a": 1.0}
                yield RecordedRow("epoch", stage, step, 1 + (step - 1) // 35, values)


def history(stages=STAGES):
    """What a tracker keeps: rows of one step merged."""
    offset, kept = {"animals": 0, "all": 70}, {}
    for row in rows():
        kept.setdefault(offset[row.stage] + row.step, {}).update(to_columns(row, stages))
    return sorted(kept.items())


def test_rows_come_back_with_their_kinds_stages_and_steps():
    assert list(to_rows(history(), STAGES)) == list(rows())


def test_the_order_of_columns_and_what_a_tracker_adds_do_not_matter():
    shuffled = []
    for step, columns in history():
        items = [*columns.items(), ("_runtime", 3.0), ("graph", {"path": "x"}), ("all/train/words", "x")]
        random.Random(step).shuffle(items)
        shuffled.append((step, dict(items)))

    assert list(to_rows(shuffled, STAGES)) == list(rows())


def test_numbers_that_json_does_not_know_come_as_words():
    said = [(1, {"train/loss": "NaN", "train/a": "Infinity", "train/b": "-Infinity", "train/c": "many"})]
    (row,) = to_rows(said, ["train"])

    assert math.isnan(row.values["train/loss"])
    assert (row.values["train/a"], row.values["train/b"]) == (math.inf, -math.inf)
    assert "train/c" not in row.values


def test_rows_are_chosen_by_kind_stage_and_name():
    chosen = list(to_rows(history(), STAGES, "epoch", ["val/accuracy"], "all"))

    assert chosen == [RecordedRow("epoch", "all", 40, 2, {"val/accuracy": math.inf})]


def test_a_stage_of_which_nothing_is_wanted_still_counts_for_the_steps_of_later_ones():
    (first, *_) = to_rows(history(), STAGES, stage="all")

    assert first.step == 10
