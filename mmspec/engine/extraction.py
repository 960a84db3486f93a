"""A stage that writes a feature table: one pass over each split, in evaluation, row by row into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmspec.data.loader import Loader
from mmspec.data.open import open_splits
from mmspec.data.pack_format import Follow, unfollowed
from mmspec.data.table_files import TableWriter
from mmspec.data.transforms import evaluation_transforms
from mmspec.engine.evaluation import evaluating
from mmspec.engine.placed import place_network
from mmspec.graph.graph import Graph, build_graph
from mmspec.graph.layers import LayerOutput, layer_shape, width
from mmspec.graph.network import FusedNetwork
from mmspec.plugins.api import Source
from mmspec.plugins.plan import ExtractPlan

#: Samples that are read at once where there is no network.
_SAMPLES = 256
#: What is told of each part of the table: the split, rows done and rows in all of it.
Told = Callable[[str, int, int], None]


class Extraction:
    """An extracting stage, built. `network` is None where the samples themselves are written.

    Raises:
        GraphError: parts do not fit together, or there is no such layer.
        DataError: data are missing or damaged.
    """

    def __init__(self, plan: ExtractPlan, seed: int, *, follow: Follow = unfollowed) -> None:
        self.plan, self.seed = plan, seed
        self.graph: Graph = build_graph(plan)
        self.remarks: tuple[str, ...] = ()
        self.network: FusedNetwork | None = None
        sources = open_splits(plan, follow)
        self.sources = {split: sources[split] for split in plan.spec.extract.splits or sources}
        if plan.of_samples:
            shape = plan.dataset.describe().modalities[plan.modality].shape
            self._columns, self._dtype = width(shape, plan.spec.extract.pool), None
            return
        placed = place_network(plan, seed)
        self.network, self.remarks, self._placed = placed.network, placed.remarks, placed
        self._columns = width(layer_shape(plan, placed.shapes), plan.spec.extract.pool)
        self._dtype = np.dtype(np.float64 if placed.place.dtype == torch.float64 else np.float32)

    def write(self, folder: Path, about: Mapping[str, Any], told: Told) -> tuple[int, int]:
        """Write the table into `folder`; how many rows and columns it has."""
        rows = sum(map(len, self.sources.values()))
        dtype = self._dtype or self._sample_type()
        writer = TableWriter(folder, rows=rows, columns=self._columns, dtype=dtype, about=about)
        parts = self._samples if self.network is None else self._features
        for split, source in self.sources.items():
            done = 0
            for part in parts(split, source):
                writer.append(part)
                done += len(part)
                told(split, done, len(source))
        sources = list(self.sources.values())
        common = [g for g in sources[0].groups if all(g in source.groups for source in sources)]
        writer.finish(
            ids=_joined([source.ids for source in sources]),
            targets=_joined([source.targets for source in sources]).astype(np.int64),
            splits=np.repeat(np.array(list(self.sources), dtype=np.str_), [len(s) for s in sources]),
            groups={name: _joined([source.groups[name] for source in sources]) for name in common},
            classes=self.plan.dataset.describe().classes,
        )
        return rows, self._columns

    def _samples(self, split: str, source: Source) -> Iterator[np.ndarray]:
        del split
        for start in range(0, len(source), _SAMPLES):
            indices = np.arange(start, min(start + _SAMPLES, len(source)))
            read = source.read(self.plan.modality, indices)
            if self.plan.spec.extract.pool == "mean" and read.ndim > 2:
                read = read.mean(axis=tuple(range(2, read.ndim)))
            yield read.reshape(len(indices), -1)

    def _sample_type(self) -> np.dtype[Any]:
        info = self.plan.dataset.describe().modalities[self.plan.modality]
        averaged = self.plan.spec.extract.pool == "mean" and len(info.shape) > 1
        return np.dtype(np.float64 if averaged else info.dtype)

    def _features(self, split: str, source: Source) -> Iterator[np.ndarray]:
        assert self.network is not None
        extract = self.plan.spec.extract
        output = LayerOutput(self.network, self.plan.modality, extract.layer, extract.pool)
        loader = self._loader(split, source)
        with evaluating(self.network):
            for batch in loader.ordered():
                with self._placed.autocast():
                    rows = output(batch.inputs)
                yield rows.to(self._placed.place.dtype).cpu().numpy()

    def _loader(self, split: str, source: Source) -> Loader:
        plan, train = self.plan, self.plan.spec.train
        described = plan.dataset.describe().modalities
        transforms = evaluation_transforms(
            plan.dataset,
            tuple(plan.backbones),
            plan.splits[split],
            allowed=plan.spec.extract.random_transforms,
            key="extract.random_transforms",
        )
        return Loader(
            source,
            {m: described[m] for m in plan.backbones},
            self._placed.place,
            batch_size=train.batch_size,
            seed=self.seed,
            in_order=transforms,
            workers=train.workers,
        )


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    whole: np.ndarray = np.concatenate([np.asarray(part) for part in parts])
    return whole
