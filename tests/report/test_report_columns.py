"""Nested heads, columns across a label, aggregates, ranks, differences and tests, as modelled and shown."""

from __future__ import annotations

import re

import pytest
from fake_tables import COLUMN, HEAD, NUMBERS, column, grid_of, notes, printed, run, runs, texts

from mmspec.errors import ReportError
from mmspec.report.formats import latex, markdown
from mmspec.report.formats.html_grid import grid_table

# ---------------------------------------------------------------- heads


NESTED = HEAD + "".join(
    [
        column("a", ["Top", "Left"], unit="percent"),
        column("b", ["Top", "Left"], unit="percent"),
        column("c", ["Top", "Right"]),
        column("d", ["Other"]),
        column("e"),
    ]
)


def test_heads_nest_to_any_depth(make):
    grid = grid_of(make(NESTED))
    assert grid.depth == 2
    assert grid.heads(0) == [("Top", 3), ("Other", 1), ("", 1)]
    assert grid.heads(1) == [("Left (%)", 2), ("Right", 1), ("", 2)]
    assert [c.label for c in grid.columns] == list("abcde")


def test_the_unit_is_said_once_by_the_outermost_head_that_is_all_in_percent(make):
    grid = grid_of(make(NESTED.replace('label = "c"', 'label = "c"\nunit = "percent"')))
    assert grid.heads(0)[0] == ("Top (%)", 3)
    assert grid.heads(1)[0] == ("Left", 2)


def test_nested_heads_in_every_format(make):
    made = make(NESTED)
    tex = latex.render(made)
    assert (
        r" & \multicolumn{3}{c}{Top} & \multicolumn{1}{c}{Other} & \multicolumn{1}{c}{} \\"
        "\n"
        r"\cmidrule(lr){2-4}\cmidrule(lr){5-5}"
        "\n"
        r" & \multicolumn{2}{c}{Left (\%)} & \multicolumn{1}{c}{Right} & \multicolumn{2}{c}{} \\"
        "\n"
        r"\cmidrule(lr){2-3}\cmidrule(lr){4-4}"
    ) in tex
    assert "|  | Top<br>Left (%)<br>a | <br><br>b | <br>Right<br>c | Other<br><br>d | <br><br>e |" in (
        markdown.render(made)
    )
    page = grid_table(grid_of(made), str)
    assert '<td rowspan="3"></td><th scope="colgroup" colspan="3"><span>Top</span></th>' in page
    assert '<th scope="col" colspan="2"><span>Left (%)</span></th>' in page
    assert '<colgroup></colgroup><colgroup span="3"></colgroup><colgroup span="1">' in page
    lines = printed(made).splitlines()
    assert "─ Top ─" in lines[2]
    assert "─ Left (%) ─" in lines[3]


@pytest.mark.parametrize("width", [20, 40, 60, 100])
def test_no_line_of_a_table_is_wider_than_the_terminal_and_no_number_is_broken(make, width):
    said = printed(make(NESTED), width)
    table = said.split("Mean ±")[0]
    assert max(map(len, table.splitlines())) <= width
    assert [table.count(f"{cell} ± ") for cell in ("51.7", "62.3", "0.517", "0.623")] == [4, 2, 6, 3]


def test_a_table_wider_than_a_page_comes_in_parts_with_the_heads_of_each(make):
    heads = [["Long enough to need room", f"head {index}"] for index in range(12)]
    tex = latex.render(make(HEAD + "".join(column("accuracy", head) for head in heads)))
    found = re.findall(r"\\begin\{tabular\}\{@\{\}l(r+)@\{\}\}", tex)
    assert sum(map(len, found)) == 12
    assert len(found) > 1
    assert len(re.findall(r"\\multicolumn\{\d+\}\{c\}\{Long enough", tex)) == len(found)
    assert tex.count("good & ") == len(found)


# ---------------------------------------------------------------- across

ACROSS = HEAD + '[tables.across]\nby = "dataset"\nlabels = { two = "Second" }\norder = ["two"]\n' + COLUMN
TWO = runs(NUMBERS, experiment="one") + runs({"none": (0.1, 0.2, 0.3)}, experiment="two")


def test_columns_stand_once_for_each_value(make):
    made = make(ACROSS, TWO)
    assert grid_of(made).heads(0) == [("Second (%)", 1), ("one (%)", 1)]
    assert texts(made, 0) == {"good": "–", "none": "20.0 ± 10.0", "same": "–"}
    assert texts(made, 1)["none"] == "51.7 ± 2.1"
    assert [c.where for c in made.tables[0].table.columns] == [{"dataset": "two"}, {"dataset": "one"}]
    assert "good, same (Second)" in notes(made)


def test_a_value_that_no_run_has_leaves_a_hole_where_it_is_ordered(make):
    made = make(ACROSS.replace('["two"]', '["absent", "two"]'), TWO)
    assert [head for head, _ in grid_of(made).heads(0)] == ["absent (%)", "Second (%)", "one (%)"]
    assert set(texts(made, 0).values()) == {"–"}


def test_values_that_nobody_asked_for_can_stay_out(make):
    made = make(ACROSS.replace("order", "rest = false\norder"), TWO)
    assert [head for head, _ in grid_of(made).heads(0)] == ["Second (%)"]


def test_a_name_alone_will_do(make):
    made = make(HEAD + 'across = "dataset"\n' + COLUMN, TWO)
    assert [head for head, _ in grid_of(made).heads(0)] == ["one (%)", "two (%)"]


def test_columns_across_any_key_of_the_spec(make):
    found = [run("none", s, {"test/accuracy": 0.5}, optimizer={"lr": lr}, experiment=f"e{lr}")
             for lr in (10, 9.5) for s in (0, 1)]  # fmt: skip
    made = make(HEAD + '[tables.across]\nby = "optimizer.lr"\n' + COLUMN, found)
    assert [head for head, _ in grid_of(made).heads(0)] == ["9.5 (%)", "10 (%)"]


PUBLISHED = """
source = "Others"
metric = "test/accuracy"
unit = "percent"
columns = ["first", "second"]
[[row]]
method = "plain"
first = 83.20
second = 7
"""


def test_each_value_across_has_its_own_published_column_or_none(make, tmp_path):
    (tmp_path / "others.toml").write_text(PUBLISHED)
    text = ACROSS.replace("runs =", 'published = ["others.toml"]\nruns =')
    text = text.replace('by = "variant"', 'by = "variant", published = { none = "plain" }')
    made = make(text + 'published = { source = "others", column = { one = "first" } }', TWO)
    assert [c.label for c in grid_of(made).columns] == ["test", "test", "published"]
    assert texts(made, 2)["none"] == "83.20"
    with pytest.raises(ReportError, match=r'published\.column names "on", which is no value of dataset'):
        make(text + 'published = { source = "others", column = { on = "first" } }', TWO)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('by = "dataset"', 'by = "datset"', "no run has a label or a key"),
        ("two =", "too =", "across.labels names"),
    ],
)
def test_values_that_no_run_has_are_told(make, old, new, said):
    with pytest.raises(ReportError, match=said) as error:
        make(ACROSS.replace(old, new), TWO)
    assert "report.toml:6" in str(error.value)


# ---------------------------------------------------------------- aggregates


@pytest.mark.parametrize(
    ("how", "shown", "said"),
    [
        ("mean_std", "51.7 ± 2.1", "Mean ± standard deviation (n − 1) over n = 3 seeds (0–2)."),
        ("median_iqr", "51.0 [50.5, 52.5]", "Median [lower, upper quartile; interpolated linearly]"),
        ("mean_range", "51.7 [50.0, 54.0]", "Mean [lowest, highest] over"),
        ("mean_ci", "51.7 [46.5, 56.8]", "Mean [95 % confidence interval, Student's t] over"),
        ("mean", "51.7", "Mean over n = 3"),
        ("median", "51.0", "Median over n = 3"),
    ],
)
def test_aggregates_of_a_table_and_of_a_column(make, how, shown, said):
    for text in (f'{HEAD}aggregate = "{how}"{COLUMN}', f'{HEAD}{COLUMN}aggregate = "{how}"'):
        made = make(text)
        assert texts(made)["none"] == shown
        assert said in notes(made)


def test_several_aggregates_are_said_column_by_column(make):
    made = make(HEAD + COLUMN + column("middle", aggregate="median") + column("seeds", aggregate="n"))
    assert texts(made, 2)["none"] == "3"
    assert (
        "Over n = 3 seeds (0–2): mean ± standard deviation (n − 1) in test; median in middle; "
        "number of seeds in seeds."
    ) in notes(made)


def test_with_one_seed_no_spread_is_invented(make):
    for how in ("mean_std", "median_iqr", "mean_range", "mean_ci"):
        made = make(f'{HEAD}aggregate = "{how}"{COLUMN}', runs({"none": (0.5,), "good": (0.6,)}))
        assert texts(made) == {"good": "60.0", "none": "50.0"}
        assert "One seed (0)." in notes(made)


def test_what_is_shown_is_what_is_ranked(make):
    found = runs({"skewed": (0.1, 0.5, 0.5), "even": (0.4, 0.4, 0.4)})
    best = {}
    for how in ("mean", "median"):
        made = make(f'{HEAD}aggregate = "{how}"{COLUMN}', found)
        best[how] = [row.label for row in grid_of(made).rows if row.cells[0].mark == "best"]
    assert best == {"mean": ["even"], "median": ["skewed"]}


# ---------------------------------------------------------------- mistakes

MISTAKES = [
    ('better = "max"', 'better = "max"\nshow = "delta"', ["columns[0].show: there is no baseline"]),
    ('better = "max"', 'show = "rank"', ["columns[0].show: better does not say", 'better = "max"']),
    ('better = "max"', 'better = "max"\naggregate = "n"', ["columns[0].better: n only counts seeds"]),
    ('better = "max"', 'better = "max"\naggregate = "n"\nshow = "rank"', ["columns[0].show: n only counts"]),
    ('better = "max"', 'aggregate = "mean_sd"', ["aggregate: expected one of", 'did you mean "mean_std"?']),
    ('better = "max"', 'show = "ranks"', ["show: expected one of", 'did you mean "rank"?']),
    ('better = "max"', "group = []", ["columns[0].group: is an empty list"]),
    ('better = "max"', 'group = ["a", ""]', ["columns[0].group: has an empty head"]),
    ('better = "max"', "group = [1]", ["columns[0].group", "expected a string"]),
    ('"Accuracy"', '"Accuracy"\ntest = "paired"', ["tables[0].test: there is no baseline to test against"]),
    ('"Accuracy"', '"Accuracy"\ntest = "t"', ["tables[0].test: expected one of"]),
    ('"Accuracy"', '"Accuracy"\nacross = 3', ["tables[0].across: expected a string or a table"]),
    ('"Accuracy"', '"Accuracy"\nacross = { bi = "dataset" }', ["across.bi: no such key", "by is missing"]),
    (
        '"Accuracy"',
        '"Accuracy"\nacross = { by = "dataset", labels = { a = "x", b = "x" } }',
        ["tables[0].across.labels.b: another value has the label"],
    ),
    (
        '"Accuracy"',
        '"Accuracy"\nacross = { by = "dataset", rest = false }',
        ["tables[0].across.rest: without the rest there is no value left"],
    ),
    (
        'better = "max"',
        'better = "max"\nwhere = { dataset = "x" }\n[tables.across]\nby = "dataset"',
        ["columns[0].where.dataset: the columns stand across dataset already"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES)
def test_mistakes_are_told_at_their_place(make, old, new, said):
    text = HEAD + COLUMN
    assert old in text
    with pytest.raises(ReportError) as error:
        make(text.replace(old, new))
    told = str(error.value)
    assert all(part in told for part in said), told
    assert "report.toml:" in told


def test_a_mean_rank_needs_a_better_direction(make):
    with pytest.raises(ReportError, match=r"tables\[0\]\.mean_rank: no column says what is better"):
        make(HEAD + "mean_rank = true\n" + column("x"))


@pytest.mark.parametrize(
    ("published", "across", "said"),
    [
        ('{ source = "others", column = "first" }', True, "each value of dataset needs a published column"),
        (
            '{ source = "others", column = { one = "frist" } }',
            True,
            r'column\.one: others has no column "frist"',
        ),
        ('{ source = "others", column = { one = "first" } }', False, "only with across"),
    ],
)
def test_published_columns_and_across_must_agree(make, tmp_path, published, across, said):
    (tmp_path / "others.toml").write_text(PUBLISHED)
    text = (ACROSS if across else HEAD + COLUMN).replace("runs =", 'published = ["others.toml"]\nruns =')
    text = text.replace('by = "variant"', 'by = "variant", published = { none = "plain" }')
    with pytest.raises(ReportError, match=said):
        make(f"{text}published = {published}", TWO)
