from __future__ import annotations

import json
import random
import shutil

import attrs
import pytest
from fake_runs import DEMO, SMALL, write_run

from mmspec.errors import ReportError
from mmspec.plugins.api import Figure, option
from mmspec.report import default_folder, render_report
from mmspec.report.render import FORMATS

TWICE = '[[rows]]\nlabel = "none"\nwhere = { variant = "none" }\n'
EVERYTHING = tuple(FORMATS)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_runs_give_the_same_bytes(demo, render, tmp_path):
    text = DEMO.read_text()
    render(text, formats=EVERYTHING)
    first = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    render(text, formats=EVERYTHING)
    assert contents(tmp_path / "out") == first


def test_names_of_folders_never_decide_numbers(demo, render):
    before = render(SMALL).document
    folders = sorted((demo / "colored_digits").iterdir())
    random.Random(1).shuffle(folders)
    for index, folder in enumerate(folders):
        folder.rename(folder.with_name(f"{index:03}"))
    after = render(SMALL).document
    for mine, theirs in zip(before.tables, after.tables, strict=True):
        assert [[c.summary for c in row] for row in mine.table.cells.values()] == [
            [c.summary for c in row] for row in theirs.table.cells.values()
        ]
        assert mine.notes == theirs.notes


def test_only_the_formats_asked_for_are_written(demo, render, tmp_path):
    render(DEMO.read_text(), formats=("latex",))
    assert set(contents(tmp_path / "out")) == {"table.tex"}
    render(DEMO.read_text(), formats=("markdown",), out=tmp_path / "md")
    assert set(contents(tmp_path / "md")) == {
        "table.md", "figures/learning-speed.svg", "figures/utilisation.svg", "figures/confusion.svg"
    }  # fmt: skip


def test_unknown_formats_and_missing_runs_are_told(demo, render, tmp_path, registry):
    with pytest.raises(ReportError, match="there is no format 'pdf'"):
        render(SMALL, formats=("pdf",))
    with pytest.raises(ReportError) as error:
        render(SMALL.replace("colored_digits", "colored_digist"))
    assert "there are no runs of colored_digist" in str(error.value)
    assert "there are runs of: colored_digits" in str(error.value)
    with pytest.raises(ReportError, match="make them by: mmspec run specs/colored_digits"):
        render_report(DEMO, runs_root=tmp_path / "none", out=tmp_path, registry=registry)


def test_rows_are_checked_against_the_runs(demo, render):
    for old, new, said in (
        ('by = "variant"', 'by = "varaint"', "did you mean"),
        ('by = "variant"', 'by = "variant", labels = { gided = "x" }', "rows.labels names"),
        ('by = "variant"', 'by = "variant", labels = { guided = "none" }', "two rows have the label"),
        ('rows = { by = "variant" }', (TWICE + TWICE), "two rows have the label"),
        ('baseline = "none"', 'baseline = "nome"', "there is no row"),
    ):
        with pytest.raises(ReportError, match=said) as error:
            render(SMALL.replace(old, new))
        assert "report.toml:" in str(error.value)


def test_a_folder_that_cannot_be_written_is_told(demo, render, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        render(SMALL, out=tmp_path / "file" / "out")


def test_figures_of_others_are_drawn_like_ours(demo, render, registry, tmp_path):
    @attrs.frozen(kw_only=True)
    class Dots(Figure):
        value: str = option("a metric")

        def size(self, groups):
            return 2.0, 1.0

        def draw(self, groups, axes, looks):
            for place, (label, runs) in enumerate(groups.items()):
                y = [run.values[self.value] for run in runs]
                axes.plot([place] * len(y), y, **{**looks[label], "linestyle": ""})
            yield f"{len(groups)} rows"

    path = tmp_path / "report.toml"
    path.write_text(SMALL + '[[figures]]\nuse = "dots"\ntitle = "D"\nvalue = "test/accuracy"\n')
    mine = registry.with_plugins({("figure", "dots"): Dots})
    report = render_report(path, runs_root=demo, out=tmp_path / "o", formats=("svg",), registry=mine)
    assert [path.name for path in report.files] == ["dots.svg"]
    assert report.document.pictures[0].notes == [("6 rows",)]


def test_the_folder_of_a_report_is_named_after_it():
    assert default_folder(DEMO).as_posix() == "output/colored_digits"


def test_several_tables_each_with_rows_of_its_own(demo, render, tmp_path):
    second = '\n[[tables]]\ntitle = "Two"\ncolumns = [{ label = "iid", value = "test_iid/accuracy" }]\n'
    second += '[[tables.rows]]\nlabel = "only"\nwhere = { variant = "guided" }\n'
    render(SMALL + second)
    tables = json.loads((tmp_path / "out" / "report.json").read_text())["tables"]
    assert [[row["label"] for row in table["rows"]] for table in tables][1] == ["only"]
    assert tables[1]["columns"][0]["value"] == "test_iid/accuracy"


def test_a_thousand_runs_of_ten_metrics_are_a_table(runs, render):
    for index in range(1000):
        values = {f"test/m{metric}": index * metric % 7 for metric in range(10)}
        write_run(runs, {"variant": f"v{index % 100}"}, index // 100, values, code=str(index))
    columns = ",".join(f'{{ label = "{m}", value = "test/m{m}", better = "max" }}' for m in range(10))
    text = (
        SMALL[: SMALL.index("[[tables]]")]
        + f'[[tables]]\ntitle = "T"\nbaseline = "v0"\ncolumns = [{columns}]'
    )
    report = render(text, formats=("markdown", "latex", "html", "csv", "json"))
    assert len(report.document.used) == 1000


def test_run_directories_with_odd_contents_give_a_report_all_the_same(demo, render):
    for index, folder in enumerate(sorted((demo / "colored_digits").iterdir())):
        spec = json.loads((folder / "spec.json").read_text())
        spec["stages"] = [{"name": "t", **[{}, {"train": 3}, {"train": {}, "dataset": 1}][index % 3]}]
        (folder / "spec.json").write_text(json.dumps(spec))
        (folder / "provenance.json").write_text(["nonsense", "{}"][index % 2])
    assert len(render(SMALL).document.tables[0].table.cells) == 6
