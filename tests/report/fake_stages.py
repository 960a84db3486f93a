"""Run directories of several stages, as runs write them: learnt, measured, extracted, analysed."""

from __future__ import annotations

import json
import random

import numpy as np
from fake_runs import hash_of

from mmspec.plugins.recorded import LabelledArray
from mmspec.records.arrays import write_arrays

HEAD = "branches.*.head.*"
#: How like IT the features of each variant are.
LIKENESS = {"frozen": 0.3, "free": 0.6}


def stages_of(variant):
    """The resolved stages of a run."""
    network = {
        "dataset": {"use": "animals"},
        "split": {"fraction": 0.1},
        "modalities": {"image": {"backbone": {"use": "resnet18"}}},
        "fusion": None,
        "train": {"epochs": 5},
        "optimizer": {"use": "sgd", "lr": 0.1},
        "select": {"metric": "val/accuracy", "mode": "max"},
    }
    frozen = [] if variant == "free" else ["branches.*"]
    second = {**network, "optimizer": {"use": "sgd", "lr": 0.01}, "freeze": frozen, "train": {"epochs": 3}}
    features = {key: network[key] for key in ("dataset", "modalities", "train")}
    features |= {"extract": {"layer": "features", "modality": "image", "pool": "flatten"}}
    read = {"stage": "features", "shuffle": None, "seed": 0}
    return [
        {"name": "learn", **network},
        {"name": "grown", **second, "init_from": {"stage": "learn", "include": ["*"], "exclude": [HEAD]}},
        {"name": "features", **features, "init_from": {"stage": "grown", "include": ["*"], "exclude": []}},
        {
            "name": "likeness",
            "analysis": {"use": "sit", "draws": 10},
            "reads": {"features": read, "target": {**read, "shuffle": "object", "seed": 3}},
        },
    ]


def write_staged(root, variant, seed, *, measures=True):
    """Write one run; without `measures` only its last two stages, which train and measure nothing."""
    draw = random.Random(f"{variant} {seed}")
    stages = stages_of(variant) if measures else stages_of(variant)[2:]
    if not measures:
        stages[0] = {**stages[0], "init_from": None}
    learn = {f"{split}/accuracy": draw.gauss(0.8, 0.01) for split in ("val", "test")}
    grown = {name: value - 0.1 for name, value in learn.items()}
    likeness = {"likeness/mean": draw.gauss(LIKENESS[variant], 0.01), "likeness/std": 0.02}
    chosen = {"epoch": 4, "metric": "val/accuracy", "value": learn["val/accuracy"]}
    results = {
        "learn": {"epochs": 5, "steps": 50, "selected": chosen, "values": learn},
        "grown": {"epochs": 3, "steps": 30, "selected": {**chosen, "epoch": 2}, "values": grown},
        "features": {"epochs": 0, "steps": 0, "selected": None, "values": {}},
        "likeness": {"epochs": 0, "steps": 0, "selected": None, "values": likeness},
    }
    results = {stage["name"]: results[stage["name"]] for stage in stages}
    values = dict(likeness)
    if measures:
        values |= {
            f"{name}/{key}": v for name in ("learn", "grown") for key, v in results[name]["values"].items()
        }
        values |= grown
    spec = {"mmspec": 1, "name": "staged", "seed": seed, "labels": {"variant": variant}, "stages": stages}
    run_id = f"{variant}-s{seed}-{hash_of([stages, seed]):08x}"
    identity = {"id": run_id, "spec_hash": f"{hash_of([stages, seed]):08x}", "code": {}, "smoke": False}
    files = {
        "spec.json": spec,
        "identity.json": {**identity, "data": {stage["name"]: "d1" for stage in stages[:-1]}},
        "provenance.json": {
            "created": "2026-01-01T00:00:00+00:00",
            "command": "mmspec run specs/staged.toml",
        },
        "result.json": {"status": "finished", "values": values, "stages": results, "seconds": 9.0},
    }
    folder = root / "staged" / run_id
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    named = ("cat", "dog")
    rdm = LabelledArray(np.array([[0.0, 0.25], [0.25, 0.0]]), ("object", "object"), (named, named))
    write_arrays(folder, "likeness", {"likeness/rdm": rdm})
    if measures:
        for stage, count in (("learn", 7), ("grown", 5)):
            confusion = LabelledArray(np.full((2, 2), count), ("true", "predicted"), (named, named))
            write_arrays(folder, stage, {"test/confusion": confusion})
        row = {"kind": "step", "stage": "grown", "step": 10, "epoch": 1, "values": {"train/loss": 0.5}}
        (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    return folder
