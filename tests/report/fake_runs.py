"""Run directories as runs write them, with made-up numbers."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np

from mmspec.plugins.recorded import LabelledArray
from mmspec.records.arrays import write_arrays

FUSED = ("none", "rubi", "random", "guided")
VARIANTS = ("uni-modal grey", "uni-modal color", *FUSED)

#: Mean and spread of what each variant measures, near what the recipe gives.
NUMBERS = {
    "uni-modal grey": {"test/accuracy": (0.958, 0.004), "test_iid/accuracy": (0.958, 0.004)},
    "uni-modal color": {"test/accuracy": (0.252, 0.006), "test_iid/accuracy": (0.999, 0.001)},
    "none": {"test/accuracy": (0.31, 0.03), "test_iid/accuracy": (0.998, 0.001)},
    "rubi": {"test/accuracy": (0.42, 0.05), "test_iid/accuracy": (0.998, 0.001)},
    "random": {"test/accuracy": (0.62, 0.03), "test_iid/accuracy": (0.997, 0.001)},
    "guided": {"test/accuracy": (0.86, 0.02), "test_iid/accuracy": (0.998, 0.001)},
}
_MORE = {
    "none": {"test/accuracy.grey": (0.45, 0.03), "u": (-0.52, 0.22, 0.05), "speed": 1.4},
    "rubi": {"test/accuracy.grey": (0.55, 0.04), "u": (-0.35, 0.3, 0.06), "speed": 1.1},
    "random": {"test/accuracy.grey": (0.74, 0.03), "u": (-0.12, 0.41, 0.04), "speed": 0.9},
    "guided": {"test/accuracy.grey": (0.93, 0.01), "u": (-0.02, 0.55, 0.03), "speed": 0.95},
}


def values_of(variant, seed):
    """Plausible final metrics."""
    draw = random.Random(f"{variant} {seed}")
    values = {name: draw.gauss(*parameters) for name, parameters in NUMBERS[variant].items()}
    if variant in FUSED:
        more = _MORE[variant]
        values["test/accuracy.grey"] = draw.gauss(*more["test/accuracy.grey"])
        first, second, spread = more["u"]
        values["test/u(color|grey)"] = draw.gauss(first, spread)
        values["test/u(grey|color)"] = draw.gauss(second, spread)
        values["test/d_util"] = values["test/u(color|grey)"] - values["test/u(grey|color)"]
        values["train/d_speed"] = speed_at(variant, seed, 420)
        values["test_iid/d_util"] = draw.gauss(0.2, 0.03)
    return values


def speed_at(variant, seed, step):
    """d_speed at a step."""
    draw = random.Random(f"{variant} {seed} {step}")
    tilt = random.Random(f"{variant} {seed}").gauss(0, 0.06)
    return (_MORE[variant]["speed"] + tilt) * (1 - math.exp(-step / 90)) - 0.4 + draw.gauss(0, 0.01)


def rows_of(variant, seed):
    """Rows of steps, every ten of them."""
    if variant not in FUSED:
        return []
    return [
        {
            "kind": "step",
            "stage": "train",
            "step": step,
            "epoch": 1 + step // 36,
            "values": {"train/loss": 2 / step, "train/d_speed": speed_at(variant, seed, step)},
        }
        for step in range(10, 421, 10)
    ]


def confusion_of(variant, seed, classes=tuple("0123456789"), samples=45):
    """Counts of true against predicted classes with about the variant's accuracy."""
    draw = random.Random(f"{variant} {seed}")
    right = NUMBERS.get(variant, {"test/accuracy": (0.8, 0)})["test/accuracy"][0]
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for true in range(len(classes)):
        for _ in range(samples):
            counts[true, true if draw.random() < right else draw.randrange(len(classes))] += 1
    return LabelledArray(counts, ("true class", "predicted class"), (tuple(classes), tuple(classes)))


def write_run(
    root,
    labels,
    seed,
    values,
    *,
    experiment="colored_digits",
    status="finished",
    rows=(),
    code="1",
    created="2026-01-01T00:00:00+00:00",
    smoke=False,
    name=None,
    arrays=None,
    **stage,
):
    """Write one run directory; returns it."""
    stages = [{"name": "train", "dataset": {"use": "colored_digits"}, "train": {"epochs": 12}, **stage}]
    spec = {"mmspec": 1, "name": experiment, "seed": seed, "labels": dict(labels), "stages": stages}
    spec_hash = f"{hash_of([stages, seed]):08x}{hash_of(stages):08x}"
    slug = "-".join(str(v).replace(" ", "-").replace("/", "_") for v in labels.values()) or experiment
    run_id = f"{slug}-s{seed}-{hash_of([spec_hash, code]):08x}"[:120]
    folder = Path(root) / experiment / (name or run_id)
    folder.mkdir(parents=True)
    identity = {"id": run_id, "spec_hash": spec_hash, "code": {"mmspec": {"source_hash": code}}}
    identity |= {"data": {"train": "d1"}, "smoke": smoke}
    provenance = {"created": created, "command": f"mmspec run specs/{experiment}.toml"}
    files = {"spec.json": spec, "identity.json": identity, "provenance.json": provenance}
    if status == "finished":
        stage_result = {"epochs": 12, "steps": 420, "selected": None, "values": values}
        files["result.json"] = {"status": "finished", "values": values, "seconds": 20.0, "identity": run_id}
        files["result.json"]["stages"] = {"train": stage_result}
    if status == "failed":
        files["failure.json"] = {"error": "out of memory", "traceback": "", "time": ""}
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content))
    write_arrays(folder, "train", arrays or {})
    if rows:
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def hash_of(value):
    """Some number below 2**32, the same in every process."""
    import zlib

    return zlib.crc32(json.dumps(value, sort_keys=True).encode())


def write_demo(root, seeds=(0, 1, 2), variants=VARIANTS):
    """The runs of the demo."""
    for variant in variants:
        for seed in seeds:
            balancing = {"use": variant if variant in FUSED else "none"}
            fusion = {"use": "mmtm"} if variant in FUSED else None
            write_run(
                root,
                {"variant": variant},
                seed,
                values_of(variant, seed),
                rows=rows_of(variant, seed),
                arrays={"test/confusion": confusion_of(variant, seed)},
                balancing=balancing,
                fusion=fusion,
                modalities=variant.partition(" ")[2],
            )


#: The definitions that come with mmspec.
REPORTS = Path(__file__).parents[2] / "reports"
DEMO = REPORTS / "colored_digits.toml"

#: A definition with one table over all variants.
SMALL = """
mmspec = 1
title = "Small"
runs = ["colored_digits"]
rows = { by = "variant" }

[[tables]]
title = "Accuracy"
baseline = "none"
[[tables.columns]]
label = "test"
value = "test/accuracy"
unit = "percent"
better = "max"
"""


def plain(notes):
    """Notes as one text."""
    return "\n".join("".join(getattr(part, "text", part) for part in note) for note in notes)


#: The experiments of Wu et al.'s table, each with its modalities m0 and m1.
PAPER = {
    "modelnet40": ("front", "rear"),
    "nvgesture_scratch": ("color", "depth"),
    "nvgesture_pretrained": ("color", "depth"),
}
_LEVELS = {"none": 0.80, "rubi": 0.81, "random": 0.83, "guided": 0.84}


def write_paper(root, experiments=tuple(PAPER), seeds=(0, 1, 2)):
    """Runs of the paper's experiments, with the numbers of none of them."""
    for experiment in experiments:
        first, second = PAPER[experiment]
        for variant in (f"uni-modal {first}", f"uni-modal {second}", *FUSED):
            for seed in seeds:
                write_run(
                    root,
                    {"variant": variant},
                    seed,
                    paper_values(experiment, variant, seed),
                    experiment=experiment,
                    dataset={"use": experiment.partition("_")[0]},
                    select={"metric": "val/accuracy", "mode": "max"},
                    balancing={"use": variant},
                )


def paper_values(experiment, variant, seed):
    """Final metrics of one run; the second modality alone is better on validation, worse on test."""
    draw = random.Random(f"{experiment} {variant} {seed}")
    first, second = PAPER[experiment]
    level = _LEVELS.get(variant, 0.78)
    tilt = {f"uni-modal {first}": 0.01, f"uni-modal {second}": -0.01}.get(variant, 0)
    values = {
        "test/accuracy": level + tilt + draw.gauss(0, 0.003),
        "val/accuracy": level - tilt + draw.gauss(0, 0.003),
    }
    if variant in FUSED:
        shrink = {"none": 1.0, "rubi": 0.9, "random": 0.6, "guided": 0.4}[variant]
        values["test/d_util"] = 0.3 * shrink + draw.gauss(0, 0.03)
        values["train/d_speed"] = 1.1 * shrink + draw.gauss(0, 0.08)
    return values
