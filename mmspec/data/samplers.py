"""Which training samples a step sees: everything once in a new order, or so many of each group."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from mmspec.errors import DataError
from mmspec.plugins.api import Mistake, Outline, Sampler, Source, at_least, option
from mmspec.spec.words import show, suggestion

#: The grouping that every dataset has: samples of one class.
CLASS = "class"


@attrs.frozen(kw_only=True)
class Shuffle(Sampler):
    """Every sample once an epoch, in an order of its own; the last batch may be short."""

    def batches(self, source: Source, *, batch_size: int, seed: int, epoch: int) -> Sequence[np.ndarray]:
        """The epoch's order, cut into batches."""
        order = np.random.default_rng([seed, epoch]).permutation(len(source))
        return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


@attrs.frozen(kw_only=True)
class KPerGroup(Sampler):
    """Batches of k samples from each of batch_size / k groups, no sample twice in an epoch.

    An epoch takes as many samples of every group as the smallest allows; the others' surplus, another each
    epoch, waits for the next.
    """

    k: int = option("samples of each group in a batch", validator=at_least(1))
    group: str = option("a grouping of the dataset (object, subject), or class", default=CLASS)

    def mistakes(self, outline: Outline) -> Sequence[Mistake]:
        """The dataset must know the grouping."""
        known = (CLASS, *(outline.data.groups if outline.data else ()))
        if outline.data is None or self.group in known:
            return ()
        what = f"the dataset has no groups {show(self.group)}"
        return (Mistake(what, "group", suggestion(self.group, known, of="it has")),)

    def batches(self, source: Source, *, batch_size: int, seed: int, epoch: int) -> Sequence[np.ndarray]:
        """The batches of an epoch.

        Raises:
            DataError: the batch size is no multiple of k, or a group has fewer than k samples.
        """
        if batch_size % self.k:
            hint = f"for example {max(1, batch_size // self.k) * self.k}"
            raise DataError(f"train.batch_size = {batch_size} is no multiple of k = {self.k}", hint=hint)
        random = np.random.default_rng([seed, epoch])
        labels = np.asarray(source.targets if self.group == CLASS else source.groups[self.group])
        names, members = np.unique(labels, return_inverse=True)
        queues = [random.permutation(np.flatnonzero(members == g)) for g in range(len(names))]
        fewest = min(queues, key=len)
        if len(fewest) < self.k:
            name = names[members[fewest[0]]]
            what = f"{self.group} {name} has {len(fewest)} training samples, fewer than k = {self.k}"
            raise DataError(what, hint="a smaller k, or a smaller share for validation")
        at_once = batch_size // self.k
        found = []
        for start in range(0, len(fewest) - self.k + 1, self.k):
            order = random.permutation(len(queues))
            for i in range(0, len(order), at_once):
                chosen = [queues[g][start : start + self.k] for g in order[i : i + at_once]]
                found.append(np.concatenate(chosen))
        return found
