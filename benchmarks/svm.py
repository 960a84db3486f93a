"""Linear SVMs over splits: two processes against one, and one against scikit-learn's own grid search."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from benchmarks.paired import alternate

ROUNDS = 3
OBJECTS, IMAGES = 49, 8


def svm() -> list[str]:
    """6 splits with one test image of each of 49 objects, of 8 images each with 128 features; six C."""
    serial, two, search = (_published(workers) for workers in (1, 2, None))
    return [
        alternate(two, serial, rounds=ROUNDS).show("SVM of 6 splits: two workers / one", 0.65),
        alternate(serial, search, rounds=ROUNDS).show("SVM of 6 splits: ours / GridSearchCV", 1.05),
    ]


def _published(workers: int | None) -> Callable[[], object]:
    """Something that scores the published way: with so many workers, or as scikit-learn has it."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import LinearSVC

    from mmspec_neural.object_splits import HeldOut, object_split
    from mmspec_neural.svm import GRID, svm_scores

    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(OBJECTS), IMAGES)
    features = random.normal(size=(OBJECTS, 128))[groups] + random.normal(0, 2, (len(groups), 128))
    targets, held_out = groups // 7, HeldOut(per_object=1)
    if workers is not None:
        return lambda: svm_scores(
            features, targets, groups, np.arange(len(groups)),
            splits=6, held_out=held_out, selection="legacy", workers=workers,
        )  # fmt: skip
    parts = [object_split(groups, held_out, seed=0, key=(number,)) for number in range(6)]
    cv = [(part.train, part.test) for part in parts]

    def search() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = GridSearchCV(LinearSVC(random_state=0), {"C": list(GRID)}, cv=cv, refit=False)
            return found.fit(features, targets)

    return search
