"""How well a linear classifier tells categories from features: linear SVMs over splits stratified by object.

After Cadieu et al. 2014, as in the code of 1jsingh/neural-finetuning. The classifier is scikit-learn's
`LinearSVC` with its defaults: one-vs-rest, squared hinge loss, L2 penalty, intercept penalised as a weight,
tol 1e-4, at most 1000 iterations unless `max_iter` says otherwise. Only `random_state` is fixed.

C is chosen in one of two ways. `nested`: by splits within the training images of each split, whose test
images are then met once. `legacy`, as published: `GridSearchCV(LinearSVC(), cv=splits).best_score_`, the best
mean over the very test images that are reported, so too high by what the best of several chances is.

The published code ran when `LinearSVC()` meant `dual=True`. Since scikit-learn 1.5 it means `dual="auto"`:
primal for at least as many images as features. Both minimise the same loss, but the dual solver often stops
at its last iteration, and then is another classifier: count `unconverged`. It also draws from a generator
that all threads of a process share, so fits run in parallel in processes.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Literal

import attrs
import numpy as np

from mmspec.plugins.api import DataError
from mmspec_neural.object_splits import HeldOut, object_split

Selection = Literal["nested", "legacy"]
Solver = Literal["auto", "dual"]

#: The published values of C.
GRID = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
_RANDOM_STATE = 0
# What else than the split itself is drawn for a split.
_INNER, _COLUMNS = 0, 1
#: Scores and chosen C (splits,), and whether each fit converged (fits,).
_Scored = tuple[np.ndarray, np.ndarray, np.ndarray]


@attrs.frozen(kw_only=True, eq=False)
class SvmResult:
    """Accuracy and chosen C in each split (splits,), and what they are worth.

    `chance` is the share of the largest class. Of all `fits`, inner ones included, `unconverged` stopped at
    the limit of iterations. A name of `names` is that of another result only if the split is the same.
    """

    scores: np.ndarray
    chosen: np.ndarray
    chance: float
    names: tuple[str, ...]
    fits: int
    unconverged: int

    @property
    def mean(self) -> float:
        """The mean accuracy."""
        return float(self.scores.mean())

    @property
    def std(self) -> float:
        """The deviation of the scores, divided by their number: no standard error, as splits overlap."""
        return float(self.scores.std())


@attrs.frozen(eq=False)
class _Fold:
    """What one classifier is fitted to and scored on; `columns` are the features drawn for it, or all."""

    train: np.ndarray
    test: np.ndarray
    columns: np.ndarray | None


@attrs.frozen(eq=False)
class _Table:
    """Features (N, D) and classes 0, 1, … (N,), and how classifiers are fitted to them."""

    features: np.ndarray
    classes: np.ndarray
    solver: Solver
    standardise: bool
    max_iter: int

    def rows(self, positions: np.ndarray, fold: _Fold) -> np.ndarray:
        """These rows as the solver takes them without another conversion: float64, row after row."""
        rows = self.features[positions]
        if fold.columns is not None:
            rows = rows[:, fold.columns]
        return np.ascontiguousarray(rows, dtype=np.float64)


def svm_scores(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    ids: np.ndarray,
    *,
    splits: int = 10,
    held_out: HeldOut = HeldOut(),  # noqa: B008 (frozen)
    grid: Sequence[float] = GRID,
    selection: Selection = "nested",
    inner_splits: int = 3,
    solver: Solver = "auto",
    standardise: bool = False,
    subsample: int | None = None,
    max_iter: int = 1000,
    seed: int = 0,
    workers: int = 1,
) -> SvmResult:
    """The accuracy of linear SVMs on features (N, D) of images `ids` (N,) of classes `targets` (N,).

    Each split holds out images of every object of `groups` (N,); so do the `inner_splits` that choose C for
    it. Of equally good C the first in the grid is taken. `subsample` features are drawn anew for each split
    (168 in the first published version). `standardise` scales by mean and deviation of the images fitted to.
    `workers` processes change no number; they read the features from one place.

    Raises:
        DataError: rows do not match, an id occurs twice, an object has several classes or too few images,
            there is only one class, or features are not finite or too few.
    """
    classes = _checked(features, targets, groups, ids)
    outer = [object_split(groups, held_out, seed=seed, key=(number,)) for number in range(splits)]
    columns = [_columns(features.shape[1], subsample, seed, number) for number in range(splits)]
    folds = [_Fold(split.train, split.test, drawn) for split, drawn in zip(outer, columns, strict=True)]
    table = _Table(features, classes, solver, standardise, max_iter)
    if selection == "legacy":
        scores, chosen, converged = _legacy(table, folds, grid, workers)
    else:
        inner = [
            _inner(groups, fold, [(number, _INNER, k) for k in range(inner_splits)], held_out, seed)
            for number, fold in enumerate(folds)
        ]
        scores, chosen, converged = _nested(table, folds, inner, grid, workers)
    return SvmResult(
        scores=scores,
        chosen=chosen,
        chance=float(np.bincount(classes).max() / len(classes)),
        names=tuple(split.name(number, ids) for number, split in enumerate(outer)),
        fits=len(converged),
        unconverged=int(np.sum(~converged)),
    )


def _legacy(table: _Table, folds: list[_Fold], grid: Sequence[float], workers: int) -> _Scored:
    scores, converged = _fit_all(table, list(itertools.product(grid, folds)), workers)
    by_c = scores.reshape(len(grid), len(folds))
    best = by_c.mean(axis=1).argmax()
    return by_c[best], np.full(len(folds), grid[best]), converged


def _nested(
    table: _Table, folds: list[_Fold], inner: list[list[_Fold]], grid: Sequence[float], workers: int
) -> _Scored:
    within = list(itertools.chain.from_iterable(inner))
    scores, converged = _fit_all(table, list(itertools.product(grid, within)), workers)
    by_split = scores.reshape(len(grid), len(folds), -1).mean(axis=2)
    chosen = np.asarray(grid)[by_split.argmax(axis=0)]
    scores, refitted = _fit_all(table, list(zip(chosen.tolist(), folds, strict=True)), workers)
    return scores, chosen, np.concatenate([converged, refitted])


def _inner(
    groups: np.ndarray, fold: _Fold, keys: Sequence[tuple[int, ...]], held_out: HeldOut, seed: int
) -> list[_Fold]:
    """Splits of what a fold trains on, one for each key."""
    parts = [object_split(groups[fold.train], held_out, seed=seed, key=key) for key in keys]
    return [_Fold(fold.train[part.train], fold.train[part.test], fold.columns) for part in parts]


def _columns(width: int, subsample: int | None, seed: int, number: int) -> np.ndarray | None:
    if subsample is None:
        return None
    if not 1 <= subsample <= width:
        raise DataError(f"{subsample} of {width} features cannot be drawn")
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, _COLUMNS)))
    return np.sort(random.choice(width, subsample, replace=False))


# ---------------------------------------------------------------- fits


def _fit_all(
    table: _Table, jobs: Sequence[tuple[float, _Fold]], workers: int
) -> tuple[np.ndarray, np.ndarray]:
    """The accuracy and whether the solver converged, for each C and fold. (jobs,), (jobs,)"""
    from joblib import Parallel, delayed, parallel_config
    from threadpoolctl import threadpool_limits

    # The features are mapped into the workers; what is smaller, such as positions, is sent to them.
    mapped = table.features.nbytes - 1
    # One by one: with large C a fit takes many times as long, and a batch of them would keep one worker.
    with threadpool_limits(1), parallel_config("loky", inner_max_num_threads=1):
        parallel = Parallel(n_jobs=workers, max_nbytes=mapped, batch_size=1)
        done = parallel(delayed(_fit)(table, *job) for job in jobs)
    return np.array([score for score, _ in done]), np.array([converged for _, converged in done])


def _fit(table: _Table, c: float, fold: _Fold) -> tuple[float, bool]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    train, test = table.rows(fold.train, fold), table.rows(fold.test, fold)
    if table.standardise:
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
    dual = "auto" if table.solver == "auto" else True
    classifier = LinearSVC(C=c, dual=dual, max_iter=table.max_iter, random_state=_RANDOM_STATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is counted
        classifier.fit(train, table.classes[fold.train])
    score = classifier.score(test, table.classes[fold.test])
    return float(score), classifier.n_iter_ < classifier.max_iter


# ---------------------------------------------------------------- checks


def _checked(features: np.ndarray, targets: np.ndarray, groups: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The targets as classes 0, 1, … (N,)

    Raises:
        DataError: as `svm_scores` says.
    """
    if features.ndim != 2 or not features.shape[1]:
        raise DataError(f"features are of shape {features.shape}, and should be (images, features)")
    if not len(features) == len(targets) == len(groups) == len(ids):
        raise DataError(
            f"{len(features)} rows of features, {len(targets)} targets, {len(groups)} groups and "
            f"{len(ids)} ids: they must be of the same images"
        )
    if not len(features):
        raise DataError("there are no images to classify")
    unfit = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(unfit):
        raise DataError(
            f"the features of {len(unfit)} images are not all finite, the first of them {ids[unfit[0]]}",
            hint="has the network that they come from diverged?",
        )
    _check_ids(ids)
    labels, classes = np.unique(targets, return_inverse=True)
    if len(labels) < 2:
        raise DataError(f"all images are of class {labels[0]}: there is nothing to tell apart")
    _check_objects(groups, classes)
    return classes


def _check_ids(ids: np.ndarray) -> None:
    names, occurrences = np.unique(ids, return_counts=True)
    if len(names) < len(ids):
        raise DataError(
            f"image {names[occurrences.argmax()]} is there {occurrences.max()} times",
            hint="an image that is trained on must not be tested",
        )


def _check_objects(groups: np.ndarray, classes: np.ndarray) -> None:
    labels, first, members = np.unique(groups, return_index=True, return_inverse=True)
    mixed = np.flatnonzero(classes != classes[first][members])
    if len(mixed):
        raise DataError(
            f"object {labels[members[mixed[0]]]} has images of more than one class",
            hint="splits hold out images of each object, so that each class is on either side",
        )
