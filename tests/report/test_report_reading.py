from __future__ import annotations

import contextlib

import pytest
from fake_runs import SMALL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmspec.errors import ReportError
from mmspec.report.reading import read_definition

FIGURE = '\n[[figures]]\nuse = "curves"\ntitle = "Speed"\nvalue = "train/d_speed"\n'

MISTAKES = {
    'title = "Small"': [
        ("titel = 1", ["titel: no such key", "did you mean", "title is missing"]),
        ("title = 3", ["title: expected a string, not the integer 3", 'write "3"']),
    ],
    "mmspec = 1": [
        ("mmspec = 2", ["reads reports of version 1"]),
        ('mmspec = "1"', ["mmspec: expected an integer", "write 1 without quotes"]),
    ],
    'runs = ["colored_digits"]': [
        ("runs = []", ["runs: names no experiment"]),
        ('runs = "x"', ["runs: expected a list of strings", "write [ … ] around it"]),
    ],
    'rows = { by = "variant" }': [
        ("", ["tables[0]: has no rows", 'rows = {by = "variant"}']),
        ("rows = { buy = 1 }", ["rows.buy: no such key", "by"]),
        ('[[rows]]\nlabel = "a"', ["rows[0]: where is missing"]),
        ('[[rows]]\nlabel = "a"\nwhere = { variant = [1] }\n', ["rows[0].where.variant: expected"]),
        (
            '[[rows]]\nlabel = "non"\nwhere = { variant = "none" }\n',
            ["tables[0].baseline: there is no row", "did you mean"],
        ),
    ],
    'better = "max"': [
        ('better = "maxx"', ["tables[0].columns[0].better: expected one of", 'did you mean "max"']),
        ("digits = 1.0", ["tables[0].columns[0].digits: expected an integer"]),
        ("digits = -1", ["tables[0].columns[0].digits: must be between 0 and 12, not -1"]),
        ('colour = "red"', ["tables[0].columns[0].colour: no such key"]),
        ("better = max", ["not valid TOML"]),
    ],
    FIGURE: [
        (FIGURE.replace("curves", "curvse"), ['there is no figure "curvse"', "did you mean"]),
        (FIGURE.replace("value", "valeu"), ["valeu: no such key", 'did you mean "value"']),
        (FIGURE.replace("value", "y_label"), ["figures[0]: cannot be: it needs either value or values"]),
        (FIGURE.replace('"Speed"', '"Speed"\nband = "sd"'), ["figures[0].band: expected one of"]),
        (FIGURE.replace('"Speed"', '"Speed"\nname = "../x"'), ["figures[0].name", "cannot name a file"]),
        (FIGURE + FIGURE, ['another figure is called "curves"']),
        (FIGURE.replace("use", "usse"), ["figures[0]: use is missing"]),
    ],
}


@pytest.mark.parametrize(
    ("old", "new", "said"), [(old, new, said) for old, cases in MISTAKES.items() for new, said in cases]
)
def test_a_mistake_is_told_with_its_place_and_the_nearest_name(tmp_path, registry, old, new, said):
    whole = SMALL + FIGURE
    assert old in whole
    path = tmp_path / "report.toml"
    path.write_text(whole.replace(old, new))
    with pytest.raises(ReportError) as error:
        read_definition(path, registry)
    text = str(error.value)
    assert all(part in text for part in said), text
    assert f"{path}:" in text


def test_all_mistakes_are_told_at_once(tmp_path, registry):
    path = tmp_path / "report.toml"
    path.write_text('mmspec = 1\ntitel = "x"\nruns = 3\n[[tables]]\ntitle = 1\n')
    with pytest.raises(ReportError) as error:
        read_definition(path, registry)
    assert len(error.value.problems) >= 5


def test_a_definition_can_extend_another(tmp_path, registry):
    (tmp_path / "base.toml").write_text(SMALL)
    path = tmp_path / "report.toml"
    path.write_text('extends = "base.toml"\ntitle = "Mine"\n')
    reading = read_definition(path, registry)
    assert reading.definition.title == "Mine"
    assert reading.definition.tables[0].title == "Accuracy"


def test_options_go_to_the_figures_plugin(tmp_path, registry):
    path = tmp_path / "report.toml"
    path.write_text(SMALL + FIGURE + 'band = "range"\nname = "speed"\n')
    figure = read_definition(path, registry).figures["speed"]
    assert (figure.value, figure.band) == ("train/d_speed", "range")


WORDS = "mmspec title runs rows by where tables columns figures use label value better"
KEYS = st.sampled_from(WORDS.split())
PLAIN = st.recursive(
    st.integers(-9, 9) | st.booleans() | st.sampled_from(["a", "test/accuracy", "curves", "max"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def as_toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


@given(st.dictionaries(KEYS, PLAIN, max_size=8))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_toml_gives_a_definition_or_a_list_of_mistakes(tmp_path, registry, tree):
    path = tmp_path / "report.toml"
    path.write_text("\n".join(f"{key} = {as_toml(value)}" for key, value in tree.items()))
    with contextlib.suppress(ReportError):
        assert read_definition(path, registry).definition.runs


@given(st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_give_a_list_of_mistakes(tmp_path, registry, data):
    path = tmp_path / "report.toml"
    path.write_bytes(data)
    with pytest.raises(ReportError):
        read_definition(path, registry)


def test_mistakes_of_figures_are_told_beside_others(tmp_path, registry):
    path = tmp_path / "report.toml"
    path.write_text(SMALL.replace("mmspec = 1", 'mmspec = "1"') + FIGURE.replace("value", "valeu"))
    with pytest.raises(ReportError) as error:
        read_definition(path, registry)
    assert len(error.value.problems) == 2
