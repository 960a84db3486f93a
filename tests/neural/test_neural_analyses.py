"""Analyses of feature tables: rsatoolbox's and scikit-learn's numbers, controls, and what is refused."""

from __future__ import annotations

import warnings

import attrs
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC

from mmspec.data.shuffling import shuffled
from mmspec.errors import DataError
from mmspec.plugins.api import FeatureTable, StageOutput
from mmspec.testing import check_analysis
from mmspec_neural.analyses import LinearSvm, LinearSvmMatched, Rdm, RdmComparison, Sit
from mmspec_neural.noise import NoiseModel, match_noise
from mmspec_neural.object_splits import HeldOut, object_split
from mmspec_neural.rdm import compare_rdms, correlation_distance
from mmspec_neural.sit import sit

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own affair
    import rsatoolbox

OBJECTS, PER_OBJECT, WIDTH = 21, 12, 30
CATEGORIES = ("animals", "cars", "faces")
GRID = (0.001, 0.1)
#: Not padded, so that "o10" comes before "o2": as text they are sorted everywhere.
NAMES = np.array([f"o{g}" for g in range(OBJECTS)])
GROUPS = np.random.default_rng(0).permutation(np.repeat(np.arange(OBJECTS), PER_OBJECT))
TARGETS = GROUPS % len(CATEGORIES)


def means(seed=0, width=WIDTH):
    """What is planted: a vector of each object, alike within categories."""
    random = np.random.default_rng(seed)
    of_category = random.normal(size=(len(CATEGORIES), width))[np.arange(OBJECTS) % len(CATEGORIES)]
    return of_category + random.normal(0, 0.7, (OBJECTS, width))


def table(noise=0.5, seed=1, name="features", planted=None, dtype=np.float32, **changes):
    """Planted features under noise, of samples in two splits."""
    random = np.random.default_rng(seed)
    planted = means() if planted is None else planted
    values = planted[GROUPS] + noise * random.normal(size=(len(GROUPS), planted.shape[1]))
    made = FeatureTable(
        values=values.astype(dtype),
        ids=np.array([f"image {i:03}" for i in range(len(GROUPS))]),
        targets=TARGETS,
        splits=np.repeat(["train", "val"], len(GROUPS) // 2),
        groups={"object": NAMES[GROUPS], "category": np.array(CATEGORIES)[TARGETS]},
        classes=CATEGORIES,
        name=name,
    )
    return attrs.evolve(made, **changes)


def analysed(plugin, features, target=None, workers=1):
    tables = {"features": features, "target": target}
    inputs = {name: StageOutput(name, {}, table=tables[name]) for name in plugin.tables}
    return plugin.analyse(inputs, workers=workers)


# ---------------------------------------------------------------- dissimilarities


def test_the_matrix_is_that_of_rsatoolbox():
    features = table(dtype=np.float64)
    array = analysed(Rdm(), features).arrays["rdm"]
    dataset = rsatoolbox.data.Dataset(features.values, obs_descriptors={"object": list(NAMES[GROUPS])})
    theirs = rsatoolbox.rdm.calc_rdm(dataset, method="correlation", descriptor="object")
    np.testing.assert_allclose(array.values, theirs.get_matrices()[0], rtol=0, atol=1e-12)
    assert array.entries[0] == tuple(theirs.pattern_descriptors["object"])


def test_numbered_objects_are_in_the_order_of_numbers():
    features = table()
    numbered = attrs.evolve(features, groups={"object": GROUPS})
    array = analysed(Rdm(), numbered).arrays["rdm"]
    assert array.entries == (tuple(map(str, range(OBJECTS))),) * 2
    assert array.classes == ()
    named = analysed(Rdm(), features).arrays["rdm"]
    order = np.argsort(NAMES)
    np.testing.assert_allclose(named.values, array.values[np.ix_(order, order)], rtol=0, atol=1e-12)


def test_it_has_names_and_borders():
    array = analysed(Rdm(), table()).arrays["rdm"]
    assert array.axes == ("object", "object")
    assert array.entries == (tuple(sorted(NAMES)),) * 2
    expected = tuple(CATEGORIES[int(name[1:]) % len(CATEGORIES)] for name in sorted(NAMES))
    assert array.classes == (expected, expected)
    by_class = analysed(Rdm(border="class"), table()).arrays["rdm"]
    assert by_class.classes == array.classes


def test_groups_of_several_categories_have_no_borders():
    array = analysed(Rdm(group="category", border="object"), table()).arrays["rdm"]
    assert array.values.shape == (3, 3)
    assert array.classes == ()


def test_of_some_splits_alone():
    features = table()
    one = analysed(Rdm(of_splits=("val",)), features).arrays["rdm"]
    other = analysed(Rdm(), features.of_splits(("val",))).arrays["rdm"]
    np.testing.assert_array_equal(one.values, other.values)
    assert np.abs(one.values - analysed(Rdm(), features).arrays["rdm"].values).max() > 0.01


def similarity(features, target, **options):
    return analysed(RdmComparison(**options), features, target).values["similarity"]


def test_what_was_planted_is_recovered_as_noise_vanishes():
    truth = table(0, planted=means())
    scores = [similarity(table(noise), truth) for noise in (16, 4, 1, 0.25, 0)]
    assert scores == sorted(scores)
    assert scores[0] < 0.5 < 0.99 < scores[-2]
    assert scores[-1] == pytest.approx(1, abs=1e-9)


def test_a_permuted_target_is_not_recovered():
    truth, features = table(0, seed=3), table(0.25)
    found = []
    for seed in range(30):
        rows = shuffled(truth, "object", seed)
        found.append(similarity(features, attrs.evolve(truth, values=truth.values[rows])))
    assert abs(np.mean(found)) < 0.05
    assert np.max(np.abs(found)) < 0.5


def test_comparisons_are_those_of_rsatoolbox():
    features, target = table(2, dtype=np.float64), table(1, 5, dtype=np.float64)
    theirs = []
    for one in (features, target):
        dataset = rsatoolbox.data.Dataset(one.values, obs_descriptors={"object": list(NAMES[GROUPS])})
        theirs.append(rsatoolbox.rdm.calc_rdm(dataset, method="correlation", descriptor="object"))
    for ours, name in (("spearman", "spearman"), ("pearson", "corr"), ("kendall", "kendall")):
        expected = rsatoolbox.rdm.compare(*theirs, method=name)[0, 0]
        assert similarity(features, target, method=ours) == pytest.approx(expected, abs=1e-12)
    mse = np.square(theirs[0].get_matrices() - theirs[1].get_matrices()).mean()
    assert analysed(RdmComparison(), features, target).values["mse"] == pytest.approx(mse, abs=1e-12)


def test_the_target_is_found_by_its_samples_wherever_they_stand():
    features, target = table(), table(1, 5)
    order = np.random.default_rng(9).permutation(len(target))
    assert similarity(features, target.rows(order)) == similarity(features, target)
    with pytest.raises(DataError, match="has no features of 126 samples"):
        similarity(features, target.of_splits(("val",)))


# ---------------------------------------------------------------- SIT


def test_sit_is_what_the_function_says_of_these_rows():
    features, target = table(2), table(0.5, 5, "it", 2 * means(1))
    options = {"draws": 5, "fraction": 0.5, "method": "pearson", "seed": 3}
    model = NoiseModel(slope=0.2, offset=0.4, trials=20)
    result = analysed(Sit(noise_model=model, of_splits=("val",), **options), features, target)
    rows = slice(len(GROUPS) // 2, None)
    expected = sit(features.values[rows], target.values[rows], NAMES[GROUPS][rows], noise=model, **options)
    np.testing.assert_array_equal(result.arrays["draws"].values, expected)
    assert result.values == {"mean": expected.mean(), "std": expected.std()}
    assert result.arrays["draws"].entries == (tuple("01234"),)


def test_noise_makes_a_network_less_like_it():
    features, target = table(0.5), table(0.5, 5, "it")
    loud = NoiseModel(slope=0, offset=0.9, trials=1)
    quiet = analysed(Sit(draws=5, noise=False), features, target).values["mean"]
    matched = analysed(Sit(draws=5, noise_model=loud), features, target).values["mean"]
    assert matched < quiet - 0.02
    assert quiet == sit(features.values, target.values, NAMES[GROUPS], draws=5, noise=None).mean()


def test_a_permuted_target_has_no_sit():
    features, target = table(0.25), table(0.25, 5, "it")
    rows = shuffled(target, "object", 0)
    permuted = attrs.evolve(target, values=target.values[rows])
    assert analysed(Sit(draws=5, noise=False), features, target).values["mean"] > 0.8
    assert abs(analysed(Sit(draws=5, noise=False), features, permuted).values["mean"]) < 0.3


# ---------------------------------------------------------------- linear SVMs


def searched(features, cv):
    """scikit-learn's own search over C."""
    search = GridSearchCV(LinearSVC(random_state=0), {"C": list(GRID)}, cv=cv, refit=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return search.fit(features, TARGETS)


def cv_of(groups, keys):
    parts = [object_split(groups, HeldOut(), seed=0, key=key) for key in keys]
    return [(part.train, part.test) for part in parts]


def test_the_published_way_is_scikit_learns():
    features = table(6)
    found = analysed(LinearSvm(splits=4, grid=GRID, selection="legacy"), features)
    search = searched(features.values.astype(np.float64), cv_of(NAMES[GROUPS], [(n,) for n in range(4)]))
    best = search.best_index_
    assert 0.4 < search.best_score_ < 0.98
    each = [search.cv_results_[f"split{n}_test_score"][best] for n in range(4)]
    assert found.values["accuracy"] == search.best_score_
    assert found.values["std"] == search.cv_results_["std_test_score"][best]
    np.testing.assert_array_equal(found.arrays["accuracy"].values, each)
    np.testing.assert_array_equal(found.arrays["c"].values, [search.best_params_["C"]] * 4)
    assert found.values["chance"] == pytest.approx(1 / 3)


def test_the_honest_way_is_scikit_learns_within_each_split():
    features = table(6).values.astype(np.float64)
    found = analysed(LinearSvm(splits=3, grid=GRID, inner_splits=2), table(6)).arrays
    for number, (train, test) in enumerate(cv_of(NAMES[GROUPS], [(n,) for n in range(3)])):
        inner = cv_of(NAMES[GROUPS][train], [(number, 0, k) for k in range(2)])
        search = GridSearchCV(LinearSVC(random_state=0), {"C": list(GRID)}, cv=inner)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(features[train], TARGETS[train])
        assert found["c"].values[number] == search.best_params_["C"]
        assert found["accuracy"].values[number] == search.score(features[test], TARGETS[test])


def test_before_and_after_are_on_splits_of_the_same_names():
    options = LinearSvm(splits=2, grid=(0.1,), selection="legacy")
    before, after = (analysed(options, table(2, seed)).arrays["accuracy"] for seed in (1, 2))
    assert before.entries == after.entries
    other = analysed(attrs.evolve(options, seed=1), table(2)).arrays["accuracy"]
    assert not set(other.entries[0]) & set(before.entries[0])
    part = analysed(attrs.evolve(options, of_splits=("val",)), table(2)).arrays["accuracy"]
    assert not set(part.entries[0]) & set(before.entries[0])


def test_features_that_match_noise_are_matched_once():
    features, target = table(1, dtype=np.float64), table(1, 5, "it", 2 * means(1))
    options = {"splits": 3, "grid": GRID, "selection": "legacy", "seed": 0}
    loud = NoiseModel(slope=0.1, offset=1, trials=1)
    found = analysed(LinearSvmMatched(noise_model=loud, **options), features, target)
    normal = np.random.default_rng(0).standard_normal(features.values.shape)
    matched = match_noise(features.values, target.values, normal, loud)
    expected = analysed(LinearSvm(**options), attrs.evolve(features, values=matched))
    assert found.values == expected.values
    assert found.values["accuracy"] < analysed(LinearSvm(**options), features).values["accuracy"]


def test_fits_that_did_not_converge_are_counted():
    features = attrs.evolve(table(6), values=1000 * table(6).values)
    result = analysed(LinearSvm(splits=2, grid=(10.0,), selection="legacy", solver="dual"), features)
    assert result.values["unconverged"] == 1
    assert list(result.remarks) == ["2 of 2 fits stopped at the solver's limit of iterations"]
    calm = analysed(LinearSvm(splits=2, grid=(0.001,), selection="legacy"), table(6))
    assert calm.values["unconverged"] == 0
    assert not calm.remarks


# ---------------------------------------------------------------- promises, and what is refused

SMALL = {"splits": 2, "grid": GRID}
EACH = (
    Rdm(),
    RdmComparison(),
    Sit(draws=3),
    LinearSvm(**SMALL),
    pytest.param(LinearSvmMatched(**SMALL), marks=pytest.mark.slow),
)


@pytest.mark.parametrize("plugin", EACH, ids=lambda plugin: type(plugin).__name__)
def test_they_keep_their_promises(plugin):
    """Among them: the same bits whatever the number of workers."""
    check_analysis(plugin)


@pytest.mark.parametrize(
    ("plugin", "changes", "told"),
    [
        (Rdm(group="species"), {}, "has no groups 'species'"),
        (Rdm(border="species"), {}, "has no groups 'species'"),
        (Rdm(of_splits=("test",)), {}, "has no split 'test'"),
        (Rdm(), {"values": np.ones((len(GROUPS), 4))}, "mean features of o0 are not finite or all the same"),
        (Rdm(), {"values": np.full((len(GROUPS), 4), np.nan)}, "mean features of o0 are not finite"),
        (Rdm(), {"groups": {"object": np.where(GROUPS > 5, "a", "b")}}, "there are 2 groups"),
        (Sit(fraction=0.05), {}, "is none"),
        (LinearSvm(group="class", per_object=84), {}, "84 would be held out"),
    ],
)
def test_what_cannot_be_analysed_is_said(plugin, changes, told):
    with pytest.raises(DataError) as found:
        analysed(plugin, attrs.evolve(table(), **changes), table())
    assert told in str(found.value)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: LinearSvm(grid=()), "grid must be"),
        (lambda: LinearSvm(grid=(0.1, 0.0)), "numbers above 0"),
        (lambda: LinearSvm(splits=0), "1 or above"),
        (lambda: Sit(fraction=1.5), "between 0 and 1"),
        (lambda: NoiseModel(trials=0), "above 0"),
    ],
)
def test_options_out_of_range_are_refused(make, told):
    with pytest.raises(ValueError, match=told.removeprefix("grid ")):
        make()


def test_smoke_runs_are_quick():
    assert Sit().smoke().draws == 3
    small = LinearSvmMatched(splits=100, per_object=1).smoke()
    assert (small.splits, len(small.grid), small.inner_splits, small.per_object) == (2, 2, 1, 1)


def test_the_matrix_of_planted_means_is_exact():
    array = analysed(Rdm(), table(0, dtype=np.float64)).arrays["rdm"]
    order = np.argsort(NAMES)
    np.testing.assert_allclose(array.values, correlation_distance(means()[order]), rtol=0, atol=1e-12)
    assert compare_rdms(array.values, correlation_distance(means()[order])) == pytest.approx(1)
