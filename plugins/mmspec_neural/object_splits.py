"""Random splits stratified by object: of the images of each object, an exact count is held out.

A split is drawn from the seed, its key and the objects, and from nothing else: whatever is scored on the same
images is scored on the same splits, and differences between networks are not those between draws.
"""

from __future__ import annotations

import hashlib
import json

import attrs
import numpy as np

from mmspec.plugins.api import DataError


@attrs.frozen(eq=False)
class ObjectSplit:
    """Positions of the images to train on and of those held out, both ascending."""

    train: np.ndarray
    test: np.ndarray

    def name(self, number: int, ids: np.ndarray) -> str:
        """`<number>-<digest>`: the same only for the same images on either side, in the same order."""
        sides = [[str(i) for i in ids[side].tolist()] for side in (self.train, self.test)]
        return f"{number}-{hashlib.sha256(json.dumps(sides).encode()).hexdigest()[:12]}"


@attrs.frozen(kw_only=True)
class HeldOut:
    """How many images of each object are held out: `per_object`, or else round(`fraction` · n) of its n."""

    fraction: float = 0.2
    per_object: int | None = None

    def counts(self, labels: np.ndarray, images: np.ndarray) -> np.ndarray:
        """The number held out (G,) of the `images` (G,) there are of each label (G,).

        Raises:
            DataError: an object would have no image on one side.
        """
        if self.per_object is None:
            held_out = np.array([round(self.fraction * count) for count in images.tolist()])
        else:
            held_out = np.full(len(images), self.per_object)
        wrong = np.flatnonzero((held_out < 1) | (held_out >= images))
        if len(wrong):
            first = wrong[0]
            raise DataError(
                f"of {images[first]} images of object {labels[first]}, {held_out[first]} would be held out: "
                "each object needs images to train on and images to test",
                hint="hold out another number; nested selection divides what is left for training once more",
            )
        return held_out


def object_split(groups: np.ndarray, held_out: HeldOut, *, seed: int, key: tuple[int, ...]) -> ObjectSplit:
    """The split of images of these objects (N,) that `seed` and `key` stand for.

    Raises:
        DataError: an object would have no image on one side.
    """
    labels, members, images = np.unique(groups, return_inverse=True, return_counts=True)
    counts = held_out.counts(labels, images)
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    shuffled = random.permutation(len(members))
    by_object = shuffled[np.argsort(members[shuffled], kind="stable")]
    place_in_object = np.arange(len(members)) - np.repeat(np.cumsum(images) - images, images)
    tested = np.zeros(len(members), dtype=bool)
    tested[by_object[place_in_object < np.repeat(counts, images)]] = True
    return ObjectSplit(np.flatnonzero(~tested), np.flatnonzero(tested))
