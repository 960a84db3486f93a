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
from mmspec.data.transforms import Transforms, evaluation_transforms
from mmspec.engine.evaluation import evaluating
from mmspec.engine.placed import place_network
from mmspec.errors import DataError
from mmspec.graph.graph import Graph, build_graph
from mmspec.graph.layers import LayerOutput, as_rows, layer_shape, width
from mmspec.graph.network import FusedNetwork
from mmspec.plugins.api import Source
from mmspec.plugins.plan import ExtractPlan

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
        extract = plan.spec.extract
        if plan.of_samples:
            info = plan.dataset.describe().modalities[plan.modality]
            averaged = extract.pool == "mean" and len(info.shape) > 1
            self._columns = width(info.shape, extract.pool)
            self._dtype = np.dtype(np.float64 if averaged else info.dtype)
            return
        placed = place_network(plan, seed)
        self.network, self.remarks, self._placed = placed.network, placed.remarks, placed
        self._layer = LayerOutput(placed.network, plan.modality, extract.layer)
        self._columns = width(layer_shape(plan, placed.shapes), extract.pool)
        self._dtype = np.dtype(np.float64 if placed.place.dtype == torch.float64 else np.float32)

    def write(self, folder: Path, about: Mapping[str, Any], told: Told) -> tuple[int, int]:
        """Write the table into `folder`; how many rows and columns it has.

        Raises:
            DataError: samples cannot be read, or are not as the dataset describes them.
        """
        rows = sum(map(len, self.sources.values()))
        parts = self._samples if self.network is None else self._features
        with TableWriter(folder, rows=rows, columns=self._columns, dtype=self._dtype, about=about) as writer:
            for split, source in self.sources.items():
                done = 0
                for part in parts(split, source):
                    writer.append(part)
                    done += len(part)
                    told(split, done, len(source))
            writer.finish(**self._labels())
        return rows, self._columns

    def _labels(self) -> dict[str, Any]:
        """What belongs to the rows of all splits."""
        sources = list(self.sources.values())
        common = [g for g in sources[0].groups if all(g in source.groups for source in sources)]
        return {
            "ids": _joined([source.ids for source in sources]),
            "targets": _joined([source.targets for source in sources]).astype(np.int64),
            "splits": np.repeat(np.array(list(self.sources), dtype=np.str_), [len(s) for s in sources]),
            "groups": {name: _joined([source.groups[name] for source in sources]) for name in common},
            "classes": self.plan.dataset.describe().classes,
        }

    def _samples(self, split: str, source: Source) -> Iterator[np.ndarray]:
        """Samples as a network would see them, but for their normalisation."""
        modality, pool = self.plan.modality, self.plan.spec.extract.pool
        shape = self.plan.dataset.describe().modalities[modality].shape
        steps, size = self._transforms(split)[modality], self.plan.spec.train.batch_size
        for start in range(0, len(source), size):
            indices = np.arange(start, min(start + size, len(source)))
            x = torch.from_numpy(source.read(modality, indices))
            for step in steps:
                x = step(x, self.seed, 0, indices)
            if x.shape[1:] != shape:
                what = f"samples of {modality} in split {split} are {tuple(x.shape[1:])}, not {shape}"
                raise DataError(what, hint="the dataset describes them so; this is a mistake of the plugin")
            rows = x.flatten(1).numpy()
            if pool == "mean":
                rows = rows.reshape(len(rows), shape[0], -1).mean(axis=2, dtype=np.float64)
            yield rows

    def _features(self, split: str, source: Source) -> Iterator[np.ndarray]:
        assert self.network is not None
        dtype, pool = self._placed.place.dtype, self.plan.spec.extract.pool
        with evaluating(self.network):
            for batch in self._loader(split, source).ordered():
                with self._placed.autocast():
                    output = self._layer(batch.inputs)
                yield as_rows(output.to(dtype), pool).cpu().numpy()

    def _loader(self, split: str, source: Source) -> Loader:
        plan, train = self.plan, self.plan.spec.train
        described = plan.dataset.describe().modalities
        return Loader(
            source,
            {m: described[m] for m in plan.read_modalities},
            self._placed.place,
            batch_size=train.batch_size,
            seed=self.seed,
            in_order=self._transforms(split),
            workers=train.workers,
        )

    def _transforms(self, split: str) -> Transforms:
        return evaluation_transforms(
            self.plan.dataset,
            self.plan.read_modalities,
            self.plan.splits[split],
            allowed=self.plan.spec.extract.random_transforms,
            key="extract.random_transforms",
        )


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    whole: np.ndarray = np.concatenate([np.asarray(part) for part in parts])
    return whole
