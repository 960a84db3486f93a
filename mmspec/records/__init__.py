"""The run directory: what a run writes, and what reports read. Without torch.

runs/<experiment>/<run id>/
    spec.json, source/           what was asked for: resolved, and as it was written
    identity.json                what it depends on: spec, code, data
    graph.json, graph.svg        what was built
    provenance.json              where, when, by which command, with which packages
    metrics.jsonl, log.txt       what happened, row by row and in words
    progress.json                how far it is
    arrays/<stage>/<split>/      arrays that metrics left at the end of a stage: <name>.npz, without pickles
    checkpoints/                 how to go on
    failure.json                 why it failed, if it did
    result.json                  the end, written last: a run is finished if and only if it is there
    lock                         the process that works on it
"""

from __future__ import annotations

from mmspec.plugins.recorded import Status
from mmspec.records.directory import RunDirectory
from mmspec.records.metrics import Row
from mmspec.records.read import Found, RunRecord, find_runs, load_run

__all__ = ["Found", "Row", "RunDirectory", "RunRecord", "Status", "find_runs", "load_run"]
