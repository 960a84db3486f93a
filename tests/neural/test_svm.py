"""Linear SVMs over splits by object: scikit-learn's own numbers, exact counts, and what must not be seen."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mmspec.errors import DataError
from mmspec_neural.object_splits import HeldOut, object_split
from mmspec_neural.svm import GRID, svm_scores

OBJECTS, PER_OBJECT = 6, 10
GROUPS = np.random.default_rng(0).permutation(np.repeat(np.arange(OBJECTS), PER_OBJECT))
TARGETS = np.array(["cars", "faces", "tables"])[GROUPS // 2]
IDS = np.array([f"{i:03d}" for i in range(len(GROUPS))])
SHORT = (0.001, 0.1, 10.0)


def planted(signal=1.0, width=8, seed=1):
    """Features that tell classes and objects, scattered."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(3, width))[GROUPS // 2] + random.normal(size=(OBJECTS, width))[GROUPS]
    return signal * means + random.normal(0, 2, (len(GROUPS), width))


def scored(features, **options):
    return svm_scores(features, TARGETS, GROUPS, IDS, **{"grid": SHORT, "splits": 3, **options})


def split_of(number, held_out=None):
    return object_split(GROUPS, held_out or HeldOut(), seed=0, key=(number,))


def searched(features, targets, cv, classifier=None, grid=SHORT, name="C"):
    """What scikit-learn itself finds, and how often its solver complains."""
    classifier = classifier or LinearSVC(random_state=0)
    search = GridSearchCV(classifier, {name: list(grid)}, cv=cv, error_score="raise", refit=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        search.fit(features, targets)
    return search, len(caught)


# ---------------------------------------------------------------- splits


@pytest.mark.parametrize(
    ("held_out", "count"), [(HeldOut(), 2), (HeldOut(fraction=0.29), 3), (HeldOut(per_object=1), 1)]
)
def test_of_each_object_the_exact_count_is_held_out(held_out, count):
    for number in range(5):
        split = split_of(number, held_out)
        assert np.bincount(GROUPS[split.test]).tolist() == [count] * OBJECTS
        together = np.sort(np.concatenate([split.train, split.test]))
        np.testing.assert_array_equal(together, np.arange(len(GROUPS)))


def test_objects_of_unequal_size_give_their_share():
    groups = np.repeat(["a", "b", "c"], [5, 10, 24])
    split = object_split(groups, HeldOut(), seed=0, key=(0,))
    assert [np.sum(groups[split.test] == o) for o in "abc"] == [1, 2, 5]


def test_each_image_is_held_out_as_often_as_any_other():
    held_out = np.zeros(len(GROUPS))
    for number in range(1000):
        held_out[split_of(number).test] += 1
    assert held_out.mean() == 200
    assert abs(held_out - 200).max() < 5 * np.sqrt(1000 * 0.2 * 0.8)


def test_splits_are_of_seed_and_number_whatever_the_features():
    narrow, wide = scored(planted()), scored(planted(width=70, seed=5), splits=4, subsample=20)
    assert narrow.names == wide.names[:3]
    assert len(set(wide.names)) == 4
    assert set(scored(planted(), seed=1).names).isdisjoint(narrow.names)
    again = svm_scores(planted(), TARGETS, GROUPS, IDS[::-1], grid=SHORT, splits=3)
    np.testing.assert_array_equal(again.scores, narrow.scores)
    assert set(again.names).isdisjoint(narrow.names)


# ---------------------------------------------------------------- as scikit-learn has it


@pytest.mark.parametrize(
    ("solver", "dual", "width"), [("auto", "auto", 8), ("auto", "auto", 70), ("dual", True, 8)]
)
def test_legacy_is_the_best_score_of_a_grid_search_over_the_splits(solver, dual, width):
    features = planted(width=width).astype(np.float32)
    mine = scored(features, selection="legacy", solver=solver, grid=GRID)
    cv = [(split.train, split.test) for split in map(split_of, range(3))]
    search, complaints = searched(features, TARGETS, cv, LinearSVC(dual=dual, random_state=0), GRID)
    best = search.best_index_
    assert mine.mean == search.best_score_
    assert mine.std == search.cv_results_["std_test_score"][best]
    assert mine.scores.tolist() == [search.cv_results_[f"split{k}_test_score"][best] for k in range(3)]
    assert mine.chosen.tolist() == [search.best_params_["C"]] * 3
    assert (mine.fits, mine.unconverged) == (18, complaints)
    assert bool(complaints) == (solver == "dual")


@pytest.mark.parametrize(
    "options", [{}, {"standardise": True}, {"held_out": HeldOut(per_object=1)}, {"subsample": 5}]
)
def test_nested_is_a_grid_search_within_each_training_part_and_one_fit_of_it(options):
    features, classifier, name = planted(signal=0.5) / 10, LinearSVC(random_state=0), "C"
    features[:, 3] = 7.0
    if "standardise" in options:
        classifier, name = make_pipeline(StandardScaler(), classifier), "linearsvc__C"
    mine = scored(features, inner_splits=4, grid=GRID, splits=5, **options)
    held_out = options.get("held_out", HeldOut())
    for number in range(5):
        columns = np.arange(8)
        if "subsample" in options:
            sequence = np.random.SeedSequence(0, spawn_key=(number, 1))
            columns = np.sort(np.random.default_rng(sequence).choice(8, 5, replace=False))
        split = split_of(number, held_out)
        train, targets = features[split.train][:, columns], TARGETS[split.train]
        keys = [(number, 0, inner) for inner in range(4)]
        inner = [object_split(GROUPS[split.train], held_out, seed=0, key=key) for key in keys]
        search, _ = searched(train, targets, [(s.train, s.test) for s in inner], classifier, GRID, name)
        assert mine.chosen[number] == search.best_params_[name]
        classifier.set_params(**search.best_params_).fit(train, targets)
        assert mine.scores[number] == classifier.score(features[split.test][:, columns], TARGETS[split.test])
    assert mine.fits == 5 * (4 * 6 + 1)
    assert len(set(mine.chosen)) > 1  # else this test would not see which split chose


def test_fits_that_do_not_converge_are_counted_not_complained_of():
    mine = scored(100 * planted(), solver="dual", grid=(100.0,), inner_splits=2)
    assert (mine.unconverged, mine.fits) == (9, 9)
    assert scored(100 * planted(), grid=(100.0,)).unconverged == 0


def test_a_fit_is_broken_off_where_it_is_told_to():
    features = planted()
    broken_off = scored(features, max_iter=1)
    assert broken_off.unconverged == broken_off.fits
    assert scored(features, max_iter=10**5).unconverged == 0


def test_workers_change_no_bit():
    features = 100 * planted()  # fits that never converge show each number that the solver has drawn
    for selection in ("nested", "legacy"):
        options = {"selection": selection, "solver": "dual", "grid": (0.1, 10.0), "splits": 8}
        one, two = (scored(features, workers=workers, **options) for workers in (1, 2))
        assert one.scores.tobytes() == two.scores.tobytes()
        assert one.chosen.tobytes() == two.chosen.tobytes()
        assert (one.fits, one.unconverged, one.names) == (two.fits, two.unconverged, two.names)


# ---------------------------------------------------------------- honesty


def test_the_choice_of_c_does_not_see_test_images():
    features, test = planted(), split_of(0).test
    poisoned = features.copy()
    poisoned[test] = 1e9 * np.random.default_rng(3).normal(size=(len(test), features.shape[1]))
    for standardise in (False, True):
        clean = scored(features, splits=1, grid=GRID, standardise=standardise)
        worse = scored(poisoned, splits=1, grid=GRID, standardise=standardise)
        assert clean.chosen == worse.chosen
        assert clean.scores != worse.scores


def test_without_signal_the_published_way_is_above_chance_and_the_honest_way_is_not():
    honest, legacy = [], []
    for seed in range(25):
        noise = np.random.default_rng(100 + seed).normal(size=(len(GROUPS), 8))
        honest.append(scored(noise, seed=seed).mean)
        legacy.append(scored(noise, seed=seed, selection="legacy").mean)
    error = np.std(honest) / 5
    assert np.mean(legacy) > np.mean(honest) + error
    assert abs(np.mean(honest) - 1 / 3) < 3 * error


def test_the_published_way_reports_the_best_of_what_each_c_gives():
    each = [scored(planted(), selection="legacy", grid=(c,)).mean for c in SHORT]
    assert scored(planted(), selection="legacy").mean == max(each)


def test_planted_classes_are_found_and_chance_is_the_largest_class():
    assert scored(planted(signal=20)).mean == 1
    groups = np.repeat(["a", "b", "c"], [5, 10, 25])
    features = np.random.default_rng(0).normal(size=(40, 3))
    result = svm_scores(features, groups == "c", groups, np.arange(40), splits=2, grid=SHORT)
    assert result.chance == 25 / 40
    constant = svm_scores(np.ones((40, 3)), groups == "c", groups, np.arange(40), splits=2, grid=SHORT)
    assert constant.scores.tolist() == [5 / 8] * 2


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.ones((59, 4))}, "59 rows of features, 60 targets, 60 groups and 60 ids"),
        ({"features": np.ones(60)}, r"of shape \(60,\)"),
        ({"features": np.where(np.arange(60) == 4, np.nan, 1.0)[:, None]}, "of 1 images .* of them 004"),
        ({"targets": np.zeros(60)}, r"all images are of class 0\.0"),
        ({"targets": np.arange(60) % 2}, "object . has images of more than one class"),
        ({"ids": np.minimum(np.arange(60), 57)}, "image 57 is there 3 times"),
        ({"subsample": 5}, "5 of 4 features"),
        ({"held_out": HeldOut(per_object=10)}, "of 10 images of object 0, 10 would be held out"),
        ({"held_out": HeldOut(fraction=0.04)}, "of 10 images of object 0, 0 would be held out"),
        ({"held_out": HeldOut(per_object=5)}, "of 5 images of object 0, 5 would be held out"),
    ],
)
def test_what_cannot_be_scored_is_refused(change, message):
    table = {"features": np.ones((60, 4)), "targets": TARGETS, "groups": GROUPS, "ids": IDS}
    with pytest.raises(DataError, match=message):
        svm_scores(**{**table, **change})
