"""Feature tables joined to samples by their ids, and the controls in which they no longer belong to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmspec.data.joined import JoinedTable, number_groups
from mmspec.data.shuffling import as_read, shuffled
from mmspec.errors import DataError
from mmspec.plugins.api import ArraySource, FeatureTable
from mmspec.spec.model import Read


def table(ids="abcdef", splits=None, objects=None):
    """Row i is [10 i, 10 i + 1]."""
    n = len(ids)
    values = 10.0 * np.arange(n)[:, None] + np.arange(2)
    splits = np.array(["train"] * n if splits is None else splits)
    groups = {"object": np.array(objects if objects is not None else [i // 2 for i in range(n)])}
    return FeatureTable(values, np.array(list(ids)), np.arange(n) % 2, splits, groups, ("x", "y"), "it")


def test_rows_are_found_by_id_in_any_order():
    joined = JoinedTable.of(table(), list("fbd"), "val")
    assert joined.rows(np.array([0, 2, 2])).tolist() == [[50, 51], [30, 31], [30, 31]]


def test_a_sample_without_features_is_told():
    with pytest.raises(DataError, match=r"stage it has no features of 2 samples \(y, …\)"):
        JoinedTable.of(table(), list("ayz"), "train")


def test_of_a_sample_in_several_splits_the_row_of_its_own_counts():
    twice = table("abcabx", ["test"] * 3 + ["test_iid"] * 3)
    assert JoinedTable.of(twice, list("abc"), "test").positions.tolist() == [0, 1, 2]
    assert JoinedTable.of(twice, list("xba"), "test_iid").positions.tolist() == [5, 4, 3]
    with pytest.raises(DataError, match=r"sample a of split val: .* several rows of it \(test, test_iid\)"):
        JoinedTable.of(twice, list("ca"), "val")
    assert twice.positions(["x", "c"]).tolist() == [5, 2]
    with pytest.raises(DataError, match="sample a: the table of stage it has several rows of it"):
        twice.positions(["a"])
    with pytest.raises(DataError, match="several rows"):
        JoinedTable.of(table("aab"), ["a"], "train")


def test_tables_are_matched_split_by_split():
    one = table("abcabx", ["test"] * 3 + ["test_iid"] * 3)
    other = one.rows(np.array([4, 0, 3, 2]))
    assert np.array_equal(one.matched(other).values, other.values)


def test_without_a_control_the_table_is_itself():
    whole = table()
    assert as_read(whole, Read(stage="it")) is whole


@pytest.mark.parametrize("n", [2, 3, 50])
def test_shuffled_by_samples_every_sample_gets_another_row(n):
    rows = shuffled(table("".join(map(chr, range(200, 200 + n)))), "samples", 3)
    assert sorted(rows) == list(range(n))
    assert not (rows == np.arange(n)).any()


def test_shuffled_by_groups_every_group_gets_rows_of_one_other():
    objects = [0, 1, 2, 0, 1, 2, 2, 2, 3]
    whole = table("abcdefghi", objects=objects)
    for seed in range(20):
        taken = shuffled(whole, "object", seed)
        given = {}
        for own, row in zip(objects, taken, strict=True):
            given.setdefault(own, set()).add(objects[row])
        assert all(len(others) == 1 and own not in others for own, others in given.items())
        assert len(set.union(*given.values())) == 4  # no two groups get those of one
    by_class = shuffled(whole, "class", 0)
    assert (whole.targets[by_class] != whole.targets).all()


def test_a_control_is_the_same_for_the_same_seed():
    whole = table("abcdefghij")
    for by in ("samples", "object"):
        read = [as_read(whole, Read(stage="it", shuffle=by, seed=seed)).values for seed in (1, 1, 2)]
        assert np.array_equal(read[0], read[1])
        assert not np.array_equal(read[0], read[2])
        assert np.array_equal(whole.values, table("abcdefghij").values)


def test_all_ways_of_shuffling_are_equally_likely():
    """Of four samples there are six cycles."""
    counts = {}
    for seed in range(3000):
        taken = tuple(shuffled(table("abcd"), "samples", seed).tolist())
        counts[taken] = counts.get(taken, 0) + 1
    assert len(counts) == 6
    assert min(counts.values()) > 400


def test_a_control_that_would_be_none_is_refused():
    with pytest.raises(DataError, match=r"cannot be shuffled by object: there is one group, 7"):
        shuffled(table(objects=[7] * 6), "object", 0)
    with pytest.raises(DataError, match=r"no groups 'pose'"):
        shuffled(table(), "pose", 0)


def test_groups_are_numbered_alike_in_all_splits():
    def source(members, **more):
        n = len(members)
        groups = {"object": np.array(members), **more}
        return ArraySource({}, np.zeros(n, int), np.arange(n), groups)

    sources = {"train": source(["b", "d"], pose=np.arange(2)), "val": source(["c", "b", "a"])}
    found = number_groups(sources)
    assert found.names == {"object": ("a", "b", "c", "d")}
    assert {split: codes["object"].tolist() for split, codes in found.codes.items()} == {
        "train": [1, 3],
        "val": [2, 1, 0],
    }
    assert found.codes["train"]["object"].dtype == torch.int64
