"""The process of one run: in how many threads it computes."""

from __future__ import annotations

import pytest

from mmspec.launch import execute
from mmspec.records import RunDirectory


@pytest.mark.parametrize(("asked", "begun", "threads"), [(3, 2, 3), (None, 2, 2), (None, None, None)])
def test_a_resumed_run_keeps_the_threads_it_began_with(asked, begun, threads, tmp_path):
    spec = {"name": "x", "seed": 0, "labels": {}, "stages": [{"name": "train", "train": {"threads": asked}}]}
    directory = RunDirectory.create(
        tmp_path / "run", spec=spec, identity={"id": "run"}, sources={}, provenance={}
    )
    if begun:
        directory.begin(threads=begun)
        directory.begin(threads=7)
    assert execute._threads(directory) == threads
