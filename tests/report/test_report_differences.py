from __future__ import annotations

import pytest

from mmspec.report.runs.differences import differences

A, B = {"use": "a"}, {"use": "b", "x": 1}


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1}}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b 1 → 2"]),
        ({"a": 1}, {"b": None}, ["a 1 → nothing", "b nothing → none"]),
        ([{"lr": 0.1}], [{"lr": 0.2}], ["lr 0.1 → 0.2"]),
        ([{"lr": 0.1}, {"lr": 1}], [{"lr": 0.1}, {"lr": 2}], ["[1].lr 1 → 2"]),
        ({"m": [A]}, {"m": [A, B]}, ['m with {"use": "b", "x": 1}']),
        ({"m": [A, B]}, {"m": [B]}, ['m without {"use": "a"}']),
        ({"m": [A, A]}, {"m": [A]}, ['m [{"use": "a"}, {"use": "a"}] → [{"use": "a"}]']),
        ({"m": (1, 2)}, {"m": [1, 3]}, ["m[1] 2 → 3"]),
        ({"a": {"use": "x"}}, {"a": "x"}, ['a {"use": "x"} → "x"']),
    ],
)
def test_differences_are_told_key_by_key(then, now, said):
    assert list(differences(then, now)) == said
