"""One stage of a run, built: its network, strategy and optimizer, driven step by step.

The loop in `mmspec.engine.loop` and a script or notebook drive the same object:

    trainer = mmspec.load("spec.toml").runs[0].build()
    for batch in trainer.batches():
        result = trainer.step(batch)
    values = trainer.end_epoch()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from mmspec.data.joined import Groupings, JoinedTable, number_groups
from mmspec.data.loader import Loader, Placement
from mmspec.data.open import open_splits
from mmspec.data.pack_format import Follow, unfollowed
from mmspec.data.transforms import evaluation_transforms, training_transforms
from mmspec.engine.evaluation import Passes, evaluating
from mmspec.engine.freezing import Frozen
from mmspec.engine.groups import named_parameters, parameter_groups
from mmspec.engine.losses import LossSums, SplitLoss
from mmspec.engine.placed import place_network
from mmspec.engine.placement import put
from mmspec.graph.graph import Graph, graph_from_shapes
from mmspec.graph.keyed import keyed_random
from mmspec.graph.network import FusedNetwork
from mmspec.plugins.api import FeatureTable, LabelledArray, Metric, Source
from mmspec.plugins.plan import StagePlan
from mmspec.plugins.working import (
    Batch,
    Decision,
    NetworkOutput,
    SplitMetric,
    Step,
    StreamingMetric,
    TrainingMetric,
)


@attrs.frozen(eq=False)
class StepResult:
    """What a step did, on the device and detached.

    `loss` (), `terms` {name: ()}, `output` (logits, prediction, features), the `decision` under which the
    forward ran, and the strategy's `figures` {name: ()} after it.
    """

    loss: Tensor
    terms: Mapping[str, Tensor]
    output: NetworkOutput
    decision: Decision
    figures: Mapping[str, Tensor]


class Trainer:
    """A built stage. `epoch` counts from 1; `steps` and `position` (in the epoch) count steps done.

    An epoch has `steps_per_epoch`: none where the stage trains nothing.

    Args:
        plan: the stage.
        seed: the run's seed.
        sources: opened splits; by default the plan's dataset is opened.
        tables: the feature tables that the stage reads, by name.
        follow: told how far a packing is, if one is needed.

    Raises:
        GraphError: parts do not fit together.
        DataError: data are missing or damaged.
    """

    def __init__(
        self,
        plan: StagePlan,
        seed: int,
        *,
        sources: Mapping[str, Source] | None = None,
        tables: Mapping[str, FeatureTable] | None = None,
        follow: Follow = unfollowed,
    ) -> None:
        self.plan, self.seed, train = plan, seed, plan.spec.train
        placed = place_network(plan, seed)
        self.graph: Graph = graph_from_shapes(plan, placed.shapes)
        self.network: FusedNetwork = placed.network
        self.place: Placement = placed.place
        self.remarks, self._autocast = placed.remarks, placed.autocast
        with keyed_random(seed, "balancing"):
            self.strategy = put(plan.balancing.build(self.network, seed), self.place)
        self.frozen = Frozen(
            self.network, self.strategy, plan.spec.freeze, statistics=plan.spec.freeze_statistics
        )
        self.objective = plan.objective.build()
        self.sources = open_splits(plan, follow) if sources is None else sources
        groupings = number_groups(self.sources)
        self.loaders = {
            name: self._loader(name, source, groupings, tables or {}) for name, source in self.sources.items()
        }

        groups = parameter_groups(self.named_parameters(), plan.spec.optimizer.groups)
        self.optimizer = plan.optimizer.build(groups)
        # Where nothing is trained, nothing is sampled and no step of a schedule is taken.
        self.steps_per_epoch = len(self.loaders["train"]) if train.epochs else 0
        shape = {"epochs": max(1, train.epochs), "steps_per_epoch": max(1, self.steps_per_epoch)}
        self.schedule = plan.schedule.build(self.optimizer, **shape)

        built = {name: self._build_metric(metric) for name, metric in plan.metrics.items()}
        self._training = {name: m for name, m in built.items() if isinstance(m, TrainingMetric)}
        streaming = {name: m for name, m in built.items() if isinstance(m, StreamingMetric)}
        self._final = [metric for metric in streaming.values() if metric.final]
        self._streaming = {name: metric for name, metric in streaming.items() if not metric.final}
        self._by_split = {name: m for name, m in built.items() if isinstance(m, SplitMetric)}
        self._seen = deepcopy(self._streaming)  # over the training batches of this epoch
        self._losses = LossSums()  # over the same
        self._streaming["loss"] = SplitLoss(self._evaluation_step)
        self.epoch, self.steps, self.position = 1, 0, 0

    # ------------------------------------------------------------ training

    def batches(self) -> Iterator[Batch]:
        """What is left of this epoch's training batches."""
        return self.loaders["train"].shuffled(self.epoch, self.position)

    def step(self, batch: Batch) -> StepResult:
        """One training step: decide, forward, loss, backward, look, update."""
        decision = self.strategy.decide(self.steps, self.epoch)
        self.optimizer.zero_grad(set_to_none=True)
        with keyed_random(self.seed, "step", self.steps, device=self.place.device), self._autocast():
            output = self.network(batch.inputs, rebalance=decision.rebalance)
            step = self._with_loss(batch, decision, output)
        assert step.loss is not None
        step.loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            self.strategy.after_backward(step)
            for metric in self._training.values():
                metric.after_backward(step)
            self._account(step)
        self.optimizer.step()
        self.schedule.after_step()
        self.steps += 1
        self.position += 1
        terms = {name: term.detach() for name, term in step.terms.items()}
        return StepResult(step.loss.detach(), terms, _detached(output), decision, self.strategy.figures())

    def end_epoch(self) -> dict[str, float]:
        """Close the epoch: its training metrics, those of the splits measured each epoch, the schedule."""
        values = self._train_values()
        for split in self.each_epoch:
            values |= self.evaluate(split)
        self.schedule.after_epoch(values)
        self.epoch, self.position = self.epoch + 1, 0
        self._reset_epoch()
        return values

    def step_values(self, result: StepResult) -> dict[str, float]:
        """One step's loss, figures and learning rates as numbers; waits for the device."""
        tensors = {"train/loss": result.loss}
        tensors |= {f"train/loss.{name}": term for name, term in result.terms.items()}
        tensors |= {f"train/{name}": figure for name, figure in result.figures.items()}
        return {name: float(value) for name, value in (tensors | self._figures()).items()} | self._rates()

    # ------------------------------------------------------------ evaluation

    @property
    def each_epoch(self) -> tuple[str, ...]:
        """The splits measured after each epoch."""
        asked = self.plan.spec.evaluate.each_epoch
        return (
            asked if asked is not None else tuple(s for s, r in self.plan.splits.items() if r == "validation")
        )

    @property
    def _used_splits(self) -> set[str]:
        """The splits that are trained on or measured."""
        return {"train", *self.each_epoch, *(self.plan.spec.evaluate.splits or self.plan.splits)}

    @property
    def measures_more_at_the_end(self) -> bool:
        """Whether there are streaming metrics that count, or leave arrays, only after training."""
        leaving = [m for m in self._streaming.values() if type(m).arrays is not StreamingMetric.arrays]
        return bool(self._final or leaving)

    def evaluate(self, split: str) -> dict[str, float]:
        """The streaming metrics over a whole split, as {"split/name": value}; training state is untouched."""
        with evaluating(self.network):
            values = self._passes(self._streaming.values(), [split]).streaming(split)
        return {f"{split}/{name}": value for name, value in values.items()}

    def measure(
        self,
        splits: Sequence[str],
        *,
        streamed: Sequence[str] = (),
        keep: Callable[[Mapping[str, LabelledArray]], None] | None = None,
    ) -> dict[str, float]:
        """The metrics that need passes of their own, over each of `splits`.

        Over those in `streamed` the streaming metrics as well, in the same passes where there are any; `keep`
        is given the arrays that these leave, by `split/name`.
        """
        values: dict[str, float] = {}
        with evaluating(self.network):
            passes = self._passes([*self._streaming.values(), *self._final], streamed)
            found = [(split, m.measure(passes, split)) for split in splits for m in self._by_split.values()]
            found = [(split, passes.streaming(split)) for split in streamed] + found
        for split, measured in found:
            values |= {f"{split}/{name}": value for name, value in measured.items()}
        if keep is not None and passes.arrays:
            keep(passes.arrays)
        return values

    # ------------------------------------------------------------ state

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """All parameters by the names that patterns in a spec see: branches.*, fusion.*, balancing.*."""
        return named_parameters(self.network, self.strategy)

    def state_dict(self) -> dict[str, Any]:
        """All that a later step depends on. Randomness needs no state: it is keyed by seed and step."""
        return {
            "network": self.network.state_dict(),
            "strategy": self.strategy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "metrics": {name: metric.state_dict() for name, metric in self._stateful().items()},
            "losses": self._losses.state_dict(),
            "counters": [self.epoch, self.steps, self.position],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self.load_weights(state)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        for name, metric in self._stateful().items():
            metric.load_state_dict(state["metrics"][name])
        self._losses.load_state_dict(state["losses"], self.place.device)
        self.epoch, self.steps, self.position = state["counters"]

    def load_weights(self, state: Mapping[str, Any]) -> None:
        """Network and strategy from a state, nothing else: what evaluation depends on."""
        self.network.load_state_dict(state["network"])
        self.strategy.load_state_dict(state["strategy"])

    # ------------------------------------------------------------ inside

    def _loader(
        self, split: str, source: Source, groupings: Groupings, tables: Mapping[str, FeatureTable]
    ) -> Loader:
        plan, train, dataset = self.plan, self.plan.spec.train, self.plan.dataset
        branches = tuple(plan.backbones)
        training = plan.splits[split] == "train"
        return Loader(
            source,
            {m: dataset.describe().modalities[m] for m in branches},
            self.place,
            batch_size=train.batch_size if training else train.eval_batch_size or train.batch_size,
            seed=self.seed,
            augmentations=training_transforms(dataset, branches) if training else None,
            in_order=evaluation_transforms(
                dataset,
                branches,
                plan.splits[split],
                allowed=plan.spec.evaluate.random_transforms,
                key="evaluate.random_transforms",
            ),
            sampler=plan.sampler if training else None,
            workers=train.workers if training else 0,
            groups=groupings.codes[split],
            group_names=groupings.names,
            tables={
                name: JoinedTable.of(table, source.ids.tolist(), split)
                for name, table in tables.items()
                if split in self._used_splits
            },
        )

    def _build_metric(self, metric: Metric) -> StreamingMetric | SplitMetric | TrainingMetric:
        built = metric.build(self.network)
        return built.to(self.place.device) if isinstance(built, nn.Module) else built

    def _passes(self, streaming: Iterable[StreamingMetric], streamed: Sequence[str]) -> Passes:
        return Passes(
            self.network, self.strategy, self.loaders, self._autocast, streaming=streaming, streamed=streamed
        )

    def _with_loss(self, batch: Batch, decision: Decision, output: NetworkOutput) -> Step:
        step = Step(self.steps, self.epoch, batch, decision, output)
        step.terms = self.objective(output, batch)
        step.loss = self.strategy.loss(step)
        return step

    def _evaluation_step(self, output: NetworkOutput, batch: Batch) -> Step:
        """What a batch in evaluation would be as the next step."""
        with self._autocast():
            return self._with_loss(batch, self.strategy.evaluation_decision(), output)

    def _account(self, step: Step) -> None:
        """Add a step to what is gathered over the epoch; nothing waits for the device."""
        self._losses.add(step)
        for metric in self._seen.values():
            metric.update(step.output, step.batch)

    def _train_values(self) -> dict[str, float]:
        values = {f"train/{name}": mean for name, mean in self._losses.means().items()}
        for metric in self._seen.values():
            values |= {f"train/{name}": value for name, value in metric.compute().items()}
        return values | {name: float(value) for name, value in self._figures().items()} | self._rates()

    def _figures(self) -> dict[str, Tensor]:
        return {
            f"train/{name}": figure
            for metric in self._training.values()
            for name, figure in metric.figures().items()
        }

    def _rates(self) -> dict[str, float]:
        rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        return {"train/lr" if i == 0 else f"train/lr.{i}": rate for i, rate in enumerate(rates)}

    def _reset_epoch(self) -> None:
        self._losses = LossSums()
        for metric in self._seen.values():
            metric.reset()

    def _stateful(self) -> dict[str, nn.Module]:
        seen = {f"seen/{name}": metric for name, metric in self._seen.items()}
        return {**self._training, **seen}


def _detached(output: NetworkOutput) -> NetworkOutput:
    return NetworkOutput(
        features={m: x.detach() for m, x in output.features.items()},
        logits={m: x.detach() for m, x in output.logits.items()},
        prediction=output.prediction.detach(),
        squeezes={unit: [s.detach() for s in squeezes] for unit, squeezes in output.squeezes.items()},
    )
