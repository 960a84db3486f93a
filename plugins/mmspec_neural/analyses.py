"""What is computed from features: dissimilarities of objects, likeness to neurons, categories told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import attrs

from mmspec.plugins.api import (
    Analysis,
    AnalysisResult,
    FeatureTable,
    StageOutput,
    at_least,
    between,
    option,
)
from mmspec_neural.noise import MULTI_UNIT_IT, NoiseModel
from mmspec_neural.rdm import Method
from mmspec_neural.reading import CATEGORY
from mmspec_neural.svm import GRID, Selection, Solver

if TYPE_CHECKING:
    import numpy as np

    from mmspec_neural.svm import SvmResult


def _values_of_c(_: object, __: object, grid: tuple[float, ...]) -> None:
    if not grid or min(grid) <= 0:
        raise ValueError("must be a list of numbers above 0")


@attrs.frozen(kw_only=True)
class _OfGroups(Analysis):
    """Groups of samples, of some splits of the data."""

    group: str = option("the groups: a grouping of the data, or class", default="object")
    of_splits: tuple[str, ...] | None = option(
        "the splits of the data whose samples are taken; absent: all that the table has", default=None
    )

    def _features(self, inputs: Mapping[str, StageOutput]) -> FeatureTable:
        """The rows that are asked for."""
        return _table(inputs, "features").of_splits(self.of_splits)

    def _target(self, inputs: Mapping[str, StageOutput], features: FeatureTable) -> FeatureTable:
        """The target's rows of the same samples."""
        return _table(inputs, "target").matched(features)


def _table(inputs: Mapping[str, StageOutput], name: str) -> FeatureTable:
    table = inputs[name].table
    assert table is not None, f"an analysis gets a table for {name}"
    return table


# ---------------------------------------------------------------- dissimilarities


@attrs.frozen(kw_only=True)
class Rdm(_OfGroups):
    """The dissimilarity matrix of features: 1 − Pearson's correlation between the means of groups.

    Reads the table `features`; leaves the array `rdm`.
    """

    tables: ClassVar[tuple[str, ...]] = ("features",)

    border: str = option(
        "a grouping of the groups, such as their category: pictures draw borders between them; "
        "without category in the data there are none",
        default=CATEGORY,
    )

    def analyse(self, inputs: Mapping[str, StageOutput], *, workers: int) -> AnalysisResult:
        """The matrix.

        Raises:
            DataError: there are no such splits or groups, or features of which there is no correlation.
        """
        from mmspec_neural.labelled import borders_of, labelled_rdm, names_of, rdm_of_rows

        del workers
        table = self._features(inputs)
        groups = table.grouping(self.group)
        borders = borders_of(table, self.group, self.border)
        matrix = rdm_of_rows(table.values, groups, table.name)
        return AnalysisResult({}, {"rdm": labelled_rdm(matrix, self.group, names_of(groups), borders)})


@attrs.frozen(kw_only=True)
class RdmComparison(_OfGroups):
    """How alike the dissimilarity matrices of two feature tables are, over all samples of `features`.

    Reads the tables `features` and `target`; gives `similarity`, and `mse` over all entries.
    """

    tables: ClassVar[tuple[str, ...]] = ("features", "target")

    method: Method = option("how entries above the diagonal are compared", default="spearman")

    def analyse(self, inputs: Mapping[str, StageOutput], *, workers: int) -> AnalysisResult:
        """Both numbers.

        Raises:
            DataError: there are no such splits or groups, or the target has not all samples.
        """
        from mmspec_neural.labelled import rdm_of_rows
        from mmspec_neural.rdm import compare_rdms, rdm_mse

        del workers
        features = self._features(inputs)
        target, groups = self._target(inputs, features), features.grouping(self.group)
        one, other = (rdm_of_rows(table.values, groups, table.name) for table in (features, target))
        similarity = compare_rdms(one, other, self.method)
        return AnalysisResult({"similarity": similarity, "mse": rdm_mse(one, other)})


@attrs.frozen(kw_only=True)
class Sit(_OfGroups):
    """Similarity to IT: how alike dissimilarities in features and responses are, over random draws of images.

    Reads the tables `features` and `target`, the responses; gives `mean` and `std` over draws, and the array
    `draws`. Draws overlap, so `std` is no standard error. They are the same for all features of the images.
    """

    tables: ClassVar[tuple[str, ...]] = ("features", "target")

    draws: int = option("how often images are drawn", default=100, validator=at_least(1))
    fraction: float = option(
        "the share of the images of each object in a draw", default=0.2, validator=between(0, 1)
    )
    noise: bool = option("whether features are made as noisy as the responses", default=True)
    noise_model: NoiseModel = option("how the responses scatter", default=MULTI_UNIT_IT)
    method: Method = option("how entries above the diagonal are compared", default="spearman")
    seed: int = option("of draws and noise; not the seed of the run", default=0, validator=at_least(0))

    def smoke(self) -> Sit:
        """Three draws."""
        return attrs.evolve(self, draws=min(self.draws, 3))

    def analyse(self, inputs: Mapping[str, StageOutput], *, workers: int) -> AnalysisResult:
        """Mean and deviation, and each draw.

        Raises:
            DataError: tables do not fit each other, a draw would have none of an object, or the noise does
                not fit the responses.
        """
        from mmspec_neural.labelled import along
        from mmspec_neural.sit import sit

        del workers
        features = self._features(inputs)
        target = self._target(inputs, features)
        scores = sit(
            features.values, target.values, features.grouping(self.group),
            draws=self.draws, fraction=self.fraction, noise=self.noise_model if self.noise else None,
            method=self.method, seed=self.seed,
        )  # fmt: skip
        values = {"mean": float(scores.mean()), "std": float(scores.std())}
        numbers = [str(draw) for draw in range(self.draws)]
        return AnalysisResult(values, {"draws": along("draw", scores, numbers)})


# ---------------------------------------------------------------- categories


@attrs.frozen(kw_only=True)
class LinearSvm(_OfGroups):
    """How well linear SVMs tell the classes from features: accuracy over random splits, by scikit-learn.

    Reads the table `features`; gives `accuracy` and `std` over splits, which overlap, so it is no standard
    error; `chance`, the share of the largest class; `unconverged`, the share of fits that the solver broke
    off. Arrays `accuracy` and `c` have an entry for each split, named alike only where splits are the same.
    """

    tables: ClassVar[tuple[str, ...]] = ("features",)

    splits: int = option("how many random splits", default=10, validator=at_least(1))
    fraction: float = option(
        "the share of the images of each object that a split holds out", default=0.2, validator=between(0, 1)
    )
    per_object: int | None = option(
        "images of each object that a split holds out, in place of a fraction", default=None
    )
    grid: tuple[float, ...] = option("the values of C to choose from", default=GRID, validator=_values_of_c)
    selection: Selection = option(
        "how C is chosen: nested, within the training images of each split; legacy, as published, by the "
        "test images that are reported, which is too good",
        default="nested",
    )
    inner_splits: int = option(
        "nested: splits of the training images that choose C", default=3, validator=at_least(1)
    )
    solver: Solver = option(
        "auto: scikit-learn's choice; dual: the only one of its versions before 1.5", default="auto"
    )
    max_iter: int = option(
        "iterations after which a fit is broken off; scikit-learn's 1000", default=1000, validator=at_least(1)
    )
    standardise: bool = option("scale each feature by its training images", default=False)
    subsample: int | None = option("features drawn anew for each split; absent: all", default=None)
    seed: int = option("of all that is drawn; not the seed of the run", default=0, validator=at_least(0))

    def smoke(self) -> LinearSvm:
        """Two splits, two C, and few iterations: with more features than images, 1000 take a minute."""
        return attrs.evolve(
            self,
            splits=min(self.splits, 2),
            grid=self.grid[:2],
            inner_splits=1,
            max_iter=min(self.max_iter, 10),
        )

    def analyse(self, inputs: Mapping[str, StageOutput], *, workers: int) -> AnalysisResult:
        """Accuracies.

        Raises:
            DataError: objects have several classes or too few images, or features are not finite.
        """
        table = self._features(inputs)
        return self._result(self._scores(table, table.values, workers))

    def _scores(self, table: FeatureTable, values: np.ndarray, workers: int) -> SvmResult:
        from mmspec_neural.object_splits import HeldOut
        from mmspec_neural.svm import svm_scores

        return svm_scores(
            values, table.targets, table.grouping(self.group), table.ids,
            splits=self.splits,
            held_out=HeldOut(fraction=self.fraction, per_object=self.per_object),
            grid=self.grid,
            selection=self.selection,
            inner_splits=self.inner_splits,
            solver=self.solver,
            max_iter=self.max_iter,
            standardise=self.standardise,
            subsample=self.subsample,
            seed=self.seed,
            workers=workers,
        )  # fmt: skip

    def _result(self, found: SvmResult) -> AnalysisResult:
        from mmspec_neural.labelled import along

        values = {
            "accuracy": found.mean,
            "std": found.std,
            "chance": found.chance,
            "unconverged": found.unconverged / found.fits,
        }
        arrays = {"accuracy": found.scores, "c": found.chosen}
        remarks = [f"{found.unconverged} of {found.fits} fits stopped at the solver's limit of iterations"]
        return AnalysisResult(
            values,
            {name: along("split", scores, found.names) for name, scores in arrays.items()},
            remarks if found.unconverged else (),
        )


@attrs.frozen(kw_only=True)
class LinearSvmMatched(LinearSvm):
    """`linear_svm` on features that are first made as noisy as recorded responses, as published.

    Reads the tables `features` and `target`, the responses. Noise is drawn once, by the seed: the same for
    all features of a width.
    """

    tables: ClassVar[tuple[str, ...]] = ("features", "target")

    noise_model: NoiseModel = option("how the responses scatter", default=MULTI_UNIT_IT)

    def analyse(self, inputs: Mapping[str, StageOutput], *, workers: int) -> AnalysisResult:
        """Accuracies.

        Raises:
            DataError: as `linear_svm`; or tables, or noise and responses, do not fit each other.
        """
        import numpy as np

        from mmspec_neural.noise import match_noise

        table = self._features(inputs)
        responses = self._target(inputs, table).values
        normal = np.random.default_rng(self.seed).standard_normal(table.values.shape)
        values = match_noise(table.values, responses, normal, self.noise_model)
        return self._result(self._scores(table, values, workers))
