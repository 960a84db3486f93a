"""Tiny plugins and plans for tests: two modalities of 4x4 images, three classes, training in milliseconds."""

from __future__ import annotations

import attrs
import numpy as np
import torch
from torch import nn

from mmspec.data.samplers import Shuffle
from mmspec.plugins.api import (
    Analysis,
    AnalysisResult,
    ArraySource,
    Backbone,
    Balancing,
    Cut,
    DataInfo,
    Dataset,
    Fusion,
    FusionOutput,
    GatedFusionUnit,
    Launcher,
    Metric,
    ModalityInfo,
    Objective,
    Optimizer,
    RandomShift,
    Schedule,
    Strategy,
    StreamingMetric,
)
from mmspec.plugins.plan import AnalysisPlan, ExtractPlan, RunPlan, StagePlan
from mmspec.spec import model

CLASSES = 3


@attrs.frozen(kw_only=True)
class TinyData(Dataset):
    """Noise around a pattern a class; modality `b` is noisier."""

    samples: int = 22
    modalities: tuple[str, ...] = ("a", "b")
    shift: int = 0
    overlap: bool = False

    def describe(self):
        infos = {m: ModalityInfo((2, 4, 4), mean=(0.5,), std=(0.5,)) for m in self.modalities}
        splits = {"train": "train", "val": "validation", "test": "test"}
        return DataInfo(infos, tuple("xyz"), splits, groups=("pair",))

    def open(self, modalities):
        first = 0
        sources = {}
        for number, split in enumerate(("train", "val", "test")):
            random = np.random.default_rng(number)
            targets = random.integers(0, CLASSES, self.samples)
            patterns = np.random.default_rng(7).integers(0, 200, (CLASSES, 2, 4, 4))
            arrays = {
                m: (patterns[targets] + random.integers(0, 30 + 25 * i, (self.samples, 2, 4, 4))).astype(
                    np.uint8
                )
                for i, m in enumerate(self.modalities)
                if m in modalities
            }
            ids = np.arange(first, first + self.samples)
            sources[split] = ArraySource(arrays, targets, ids, {"pair": ids // 2})
            first += 0 if self.overlap else self.samples
        return sources

    def fingerprint(self):
        return f"tiny-{self.samples}-{self.overlap}"

    def augmentations(self, modality, role):
        training = role == "train"
        return (RandomShift(stream="together", pixels=self.shift),) if self.shift and training else ()


@attrs.frozen(kw_only=True)
class TinyNet(Backbone):
    """Two convolutions."""

    dropout: float = 0.0

    def stage_names(self):
        return ("one", "two")

    def build(self, shape):
        one = nn.Sequential(nn.Conv2d(shape[0], 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU())
        two = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Dropout(self.dropout))
        return Cut({"one": one, "two": two}, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))


class TinyUnit(GatedFusionUnit):
    """Each modality is scaled by a gate made of the mean of all."""

    def __init__(self, shapes):
        super().__init__()
        channels = [shape[0] for shape in shapes]
        self.excite = nn.ModuleList(nn.Linear(sum(channels), c) for c in channels)
        for m, c in enumerate(channels):
            self.register_buffer(f"average{m}", torch.zeros(c))
        self.register_buffer("count", torch.zeros(()))

    def feeding(self, modality):
        return list(self.excite[modality].parameters())

    def forward(self, features, rebalance=None, squeezes=None):
        own = [x.flatten(2).mean(2) for x in features]
        given = squeezes or [None] * len(own)
        used = [s if g is None else g.expand_as(s) for s, g in zip(own, given, strict=True)]
        gates = [torch.sigmoid(layer(torch.cat(used, 1))) for layer in self.excite]
        if self.training:
            self.count += 1
        for m, gate in enumerate(gates):
            average = getattr(self, f"average{m}")
            if self.training:
                average += (gate.detach().mean(0) - average) / self.count
            if rebalance is not None:
                gates[m] = torch.where(rebalance[m], average.clone().expand_as(gate), gate)
        return FusionOutput([x * g[:, :, None, None] for x, g in zip(features, gates, strict=True)], own)


@attrs.frozen(kw_only=True)
class TinyFusion(Fusion):
    """Gates."""

    capabilities = frozenset({"gates"})

    def build(self, shapes):
        return TinyUnit(shapes)


@attrs.frozen(kw_only=True)
class TinyBalancing(Balancing):
    """Rebalances on the modality with the larger loss, every third step."""

    def build(self, network, seed):
        return TinyStrategy(len(network.modalities))


class TinyStrategy(Strategy):
    """State that a resumed run must get back: what is pending."""

    def __init__(self, modalities):
        super().__init__()
        self.register_buffer("pending", torch.zeros(modalities, dtype=torch.bool))

    def decide(self, index, epoch):
        from mmspec.plugins.api import Decision

        return Decision(self.pending)

    def after_backward(self, step):
        losses = torch.stack(list(step.terms.values()))
        worst = torch.arange(len(losses)) == losses.argmax()
        self.pending = worst & (step.index % 3 == 0)

    def figures(self):
        return {"pending": self.pending.any().float()}


@attrs.frozen(kw_only=True)
class TinyObjective(Objective):
    """Cross-entropy a branch."""

    def build(self):
        loss = nn.functional.cross_entropy
        return lambda output, batch: {m: loss(x, batch.target) for m, x in output.logits.items()}


@attrs.frozen(kw_only=True)
class TinySgd(Optimizer):
    """SGD with momentum."""

    lr: float = 0.05

    def build(self, groups):
        made = [{"params": g["params"], "lr": self.lr * g["lr_scale"]} for g in groups]
        return torch.optim.SGD(made, lr=self.lr, momentum=0.9)


@attrs.frozen(kw_only=True)
class TinySchedule(Schedule):
    """Halves at each epoch."""

    def build(self, optimizer, *, epochs, steps_per_epoch):
        return Halving(optimizer)


class Halving:
    def __init__(self, optimizer):
        self.inner = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def after_step(self):
        pass

    def after_epoch(self, metrics):
        self.inner.step()

    def state_dict(self):
        return self.inner.state_dict()

    def load_state_dict(self, state):
        self.inner.load_state_dict(state)


@attrs.frozen(kw_only=True)
class TinyAccuracy(Metric):
    """Share of right predictions."""

    def build(self, network):
        return Hits()


class Hits(StreamingMetric):
    def __init__(self):
        super().__init__()
        self.register_buffer("right", torch.zeros((), dtype=torch.int64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def update(self, output, batch):
        self.right += (output.prediction.argmax(1) == batch.target).sum()
        self.seen += len(batch)

    def compute(self):
        return {"accuracy": float(self.right / self.seen)}

    def reset(self):
        self.right.zero_()
        self.seen.zero_()


@attrs.frozen(kw_only=True)
class Nowhere(Launcher):
    """Launches nothing."""

    def launch(self, commands, *, jobs, changed):
        return {}


def stage_plan(
    *, name="train", dataset=None, modalities=("a", "b"), fusion=True, balancing=None, dropout=0.0,
    select="val/accuracy", groups=(), at=("one", "two"), init_from=None, split=None, metrics=None,
    freeze=(), sampler=None, assemble=(), reads=None, objective=None, evaluate=None, schedule=None, **train,
) -> StagePlan:  # fmt: skip
    """A plan of the tiny plugins; `train` are keys of `[train]`."""
    use = model.Use("tiny")
    spec = model.Stage(
        dataset=use,
        modalities={m: model.Modality(backbone=use) for m in modalities},
        fusion=model.Fusion(use="tiny", at=tuple(at)) if fusion else None,
        balancing=use,
        objective=use,
        optimizer=model.Optimizer(use="tiny", groups=tuple(groups)),
        schedule=use,
        train=model.Train(**{"epochs": 3, "batch_size": 4, "log_every": 1, "threads": 1, **train}),
        select=model.Select(metric=select) if select else None,
        init_from=init_from,
        split=split,
        freeze=tuple(freeze),
        assemble=tuple(assemble),
        reads=reads or {},
        evaluate=evaluate or model.Evaluate(),
    )
    dataset = dataset or TinyData()
    return StagePlan(
        name=name,
        spec=spec,
        resolved={"name": name, "train": attrs.asdict(spec.train)},
        splits=dataset.describe().splits,
        dataset=dataset,
        backbones={m: TinyNet(dropout=dropout) for m in modalities},
        fusion=TinyFusion() if fusion else None,
        balancing=balancing or TinyBalancing(),
        objective=objective or TinyObjective(),
        optimizer=TinySgd(),
        schedule=schedule or TinySchedule(),
        sampler=sampler or Shuffle(),
        metrics=metrics if metrics is not None else {"accuracy": TinyAccuracy()},
    )


def extract_plan(
    *, name="features", dataset=None, modalities=("a", "b"), fusion=True, layer="features", modality=None,
    pool="flatten", splits=None, random_transforms=False, init_from=None, split=None, **train,
) -> ExtractPlan:  # fmt: skip
    """A plan that writes a feature table of the tiny network; `train` are keys of `[train]`."""
    use = model.Use("tiny")
    branches = () if layer == "input" else tuple(modalities)
    fused = fusion and len(branches) > 1
    asked = {"layer": layer, "modality": modality, "pool": pool, "splits": splits}
    spec = model.ExtractStage(
        dataset=use,
        modalities={m: model.Modality(backbone=use) for m in branches},
        fusion=model.Fusion(use="tiny", at=("one", "two")) if fused else None,
        train=model.Train(**{"epochs": 0, "batch_size": 4, "threads": 1, **train}),
        init_from=init_from,
        split=split,
        extract=model.Extract(**asked, random_transforms=random_transforms),
    )
    dataset = dataset or TinyData()
    made = {"val": "validation"} if split else {}
    return ExtractPlan(
        name=name,
        spec=spec,
        resolved={"name": name, "extract": attrs.asdict(spec.extract)},
        splits={**dataset.describe().splits, **made},
        dataset=dataset,
        backbones={m: TinyNet() for m in branches},
        fusion=TinyFusion() if fused else None,
    )


@attrs.frozen(kw_only=True)
class TinyAnalysis(Analysis):
    """The mean of a table, and whatever another stage has measured."""

    tables = ("features",)
    outputs = ("model",)

    def analyse(self, inputs, *, workers):
        values = {"mean": float(inputs["features"].table.values.mean())}
        values |= {name.replace("/", " "): value for name, value in inputs["model"].values.items()}
        return AnalysisResult(values, remarks=[f"{len(inputs['features'].table)} rows"])


def analysis_plan(*, name="analysis", analysis=None, **reads) -> AnalysisPlan:
    """A plan that analyses; `reads` are stages by name, or `Read`s."""
    whole = {
        key: read if isinstance(read, model.Read) else model.Read(stage=read) for key, read in reads.items()
    }
    return AnalysisPlan(
        name=name,
        spec=model.AnalysisStage(analysis=model.Use("tiny"), reads=whole),
        resolved={"name": name},
        analysis=analysis or TinyAnalysis(),
    )


def run_plan(*stages, seed=0) -> RunPlan:
    """A run of these stages."""
    return RunPlan(
        experiment="tiny",
        labels={},
        seed=seed,
        stages=stages or (stage_plan(),),
        trackers={},
        launcher=Nowhere(),
        origins=(),
        resolved={},
    )
