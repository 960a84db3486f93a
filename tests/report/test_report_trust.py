"""Nothing enters a report silently: stale and missing runs are named, each with the command that helps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fake_runs import SMALL, plain, write_run

from mmspec.graph.identity import identify
from mmspec.plugins.registry import default_registry
from mmspec.plugins.resolve import resolve
from mmspec.records.lock import held
from mmspec.report import render_report
from mmspec.report.runs.present import Command, read_commands
from mmspec.spec.load import read_document

SPECS = Path(__file__).parents[2] / "specs"
SPEC = "specs/colored_digits.toml"
RUN = f"mmspec run {SPEC}"
MADE = SMALL.replace("[[tables]]", f'made_by = "{RUN}"\n[[tables]]', 1)
VARIANTS = ("uni-modal grey", "uni-modal color", "none", "rubi", "random", "guided")

pytestmark = pytest.mark.usefixtures("comparing")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working folder with the demo's specs."""
    (tmp_path / "specs").mkdir()
    for name in ("colored_digits.toml", "_colored_digits.toml"):
        shutil.copy(SPECS / name, tmp_path / "specs" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(runs, *, command=RUN, skip=(), overrides=()):
    """Write the runs of the demo as their spec stands now, but for those of `skip`: (variant, seed)."""
    for plan in resolve(read_document(SPEC, overrides), default_registry()):
        if (plan.labels["variant"], plan.seed) in skip:
            continue
        identity = identify(plan, {"train": "d"})
        folder = runs / plan.experiment / identity.id
        folder.mkdir(parents=True)
        values = {"test/accuracy": 0.5 + plan.seed / 10 + len(str(plan.labels)) / 100}
        stage = {"epochs": 12, "steps": 420, "selected": None, "values": values}
        result = {"status": "finished", "values": values, "seconds": 1.0, "identity": identity.id}
        files = {
            "spec": plan.resolved,
            "identity": identity.to_json(),
            "provenance": {"created": "2026-01-01T00:00:00+00:00", "command": command},
            "result": {**result, "stages": {"train": stage}},
        }
        for name, content in files.items():
            (folder / f"{name}.json").write_text(json.dumps(content))


@pytest.fixture
def report(here, runs):
    """Make a report from a text with all plugins that are installed; gives the document and its notes."""

    def report(text=SMALL):
        (here / "report.toml").write_text(text, encoding="utf-8")
        made = render_report(
            here / "report.toml", runs_root=runs, out=here / "out", formats=("markdown", "json"),
            registry=default_registry(),
        )  # fmt: skip
        return made.document, plain(made.document.notes)

    return report


def edit(name, old, new):
    text = Path("specs", name).read_text()
    assert old in text
    Path("specs", name).write_text(text.replace(old, new))


def rewrite(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def remarks(document):
    return {label: row[0].remark for label, row in document.tables[0].table.cells.items()}


# ---------------------------------------------------------------- stale


@pytest.mark.parametrize("text", [SMALL, MADE])
def test_runs_of_the_spec_as_it_stands_are_not_stale(runs, report, text):
    write(runs)
    document, notes = report(text)
    assert set(remarks(document).values()) == {""}
    assert notes == ""


@pytest.mark.parametrize("text", [SMALL, MADE])
def test_an_edited_spec_makes_its_runs_stale_and_says_in_what(runs, report, text):
    write(runs)
    edit("colored_digits.toml", "window = 5", "window = 7")
    document, notes = report(text)
    assert remarks(document)["guided"] == "stale"
    assert remarks(document)["none"] == ""
    assert f"Stale, {SPEC} says something else now: balancing.window 5 → 7: guided-s0-" in notes
    assert f"{RUN} makes them anew." in notes
    assert "stale: the spec or the code of these runs has changed since" in plain(document.tables[0].notes)
    assert document.tables[0].grid.rows[0].cells[0].remark == "stale"


def test_what_cannot_change_a_number_makes_nothing_stale(runs, report):
    write(runs)
    edit("_colored_digits.toml", "[train]", "[train]\nlog_every = 3")
    assert set(remarks(report()[0]).values()) == {""}


def test_a_variant_that_the_spec_no_longer_has_is_stale(runs, report):
    write(runs)
    edit("colored_digits.toml", 'name = "rubi"', 'name = "other"')
    document, notes = report()
    assert remarks(document)["rubi"] == "stale"
    assert f"Stale, {SPEC} has no rubi now: rubi-s0-" in notes
    assert f"Asked for by {SPEC}, and not there: other, seeds 0–2; {RUN} makes them." in notes


def test_overrides_that_a_run_recorded_are_no_change_of_its_spec(runs, report):
    override = "optimizer.lr=0.05"
    variants = [(v, s) for v in VARIANTS if v != "guided" for s in (0, 1, 2)]
    write(runs, command=f"{RUN} --variant guided --set {override}", skip=variants, overrides=[override])
    alone = 'baseline = "none"\n'
    document, notes = report(SMALL.replace(alone, ""))
    assert remarks(document) == {"guided": ""}
    assert f"{RUN} --set {override} makes them." in notes
    assert remarks(report(MADE.replace(alone, ""))[0]) == {"guided": "stale"}


def test_a_seed_that_the_spec_does_not_ask_for_is_not_stale(runs, report):
    write(runs, overrides=["seeds=[7, 8]"], command=f"{RUN} --set 'seeds=[7, 8]'")
    document, notes = report(MADE)
    assert set(remarks(document).values()) == {""}
    assert "not there: uni-modal grey, seeds 0–2; uni-modal color, seeds 0–2;" in notes


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("mmspec", {"source_hash": "0"}, "the code of mmspec has changed since"),
        ("balancing/guided", {"source_hash": "0"}, "the code of mmspec_greedy has changed since"),
        ("balancing/guided", {"version": "0.0.1"}, "the code of mmspec_greedy 0.0.1 → "),
        ("balancing/guided", {"source_hash": None}, None),
    ],
)
def test_code_that_has_changed_makes_a_run_stale(runs, report, part, change, said):
    write(runs)
    folder = next((runs / "colored_digits").glob("guided-s1-*"))
    rewrite(folder / "identity.json", lambda identity: identity["code"][part].update(change))
    document, notes = report()
    assert remarks(document)["guided"] == ("1 stale" if said else "")
    if said:
        assert f"Stale, {said}" in notes
        assert f": {json.loads((folder / 'identity.json').read_text())['id']}; {RUN} makes it anew." in notes


def test_a_plugin_that_is_not_installed_here_is_told_and_not_called_stale(runs, report):
    write(runs)
    folder = next((runs / "colored_digits").glob("guided-s1-*"))
    rewrite(folder / "identity.json", lambda i: i["code"].update({"fusion/gone": {"version": "1"}}))
    document, notes = report()
    assert set(remarks(document).values()) == {""}
    assert "Not installed here, so that their code is not compared: fusion/gone." in notes


def test_figures_and_leaderboards_say_so_too(runs, report):
    write(runs, skip=[("none", 1)])
    edit("colored_digits.toml", "window = 5", "window = 7")
    blocks = '[[figures]]\nuse = "bars"\ntitle = "B"\nvalues = ["test/accuracy"]\n'
    blocks += '[[leaderboards]]\ntitle = "L"\nvalue = "test/accuracy"\n'
    document, _ = report(MADE + blocks)
    figure = plain(document.pictures[0].notes)
    assert "Drawn from stale runs, as the notes on the runs say: guided." in figure
    assert f"Finished runs are missing of none (seed 1); {RUN} makes them." in figure
    board = {row.label: row.cells[1].remark for row in document.grids[1].grid.rows}
    assert board["guided"] == "stale"
    assert "stale: the spec or the code of these runs has changed since" in plain(document.grids[1].notes)


def test_stale_runs_are_told_in_every_format(runs, report, here):
    write(runs)
    edit("colored_digits.toml", "window = 5", "window = 7")
    report()
    assert "(stale)" in (here / "out" / "table.md").read_text()
    assert any("Stale, " in note for note in json.loads((here / "out" / "report.json").read_text())["notes"])


# ---------------------------------------------------------------- what cannot be known


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("mmspec run specs/gone.toml", "there is no specs/gone.toml here"),
        ("python train.py", "no command `mmspec run SPEC` is known"),
        (f"{RUN} --set balancing=7", f"{SPEC} cannot be read now"),
        (f"{RUN} --set name=other", f"{SPEC} is called other now"),
    ],
)
def test_a_spec_that_cannot_be_compared_is_told(runs, report, command, said):
    write(runs, command=command)
    document, notes = report()
    assert set(remarks(document).values()) == {""}
    assert f"Not compared with their spec as it stands now: colored_digits ({said}" in notes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mmspec run a.toml", Command("a.toml")),
        ("mmspec run --jobs 2 a.toml --smoke", Command("a.toml")),
        ("/opt/bin/mmspec run a.toml --set x.y=1 --set=z=2", Command("a.toml", ("x.y=1", "z=2"))),
        ("python -m mmspec run a.toml", Command("a.toml")),
        ("mmspec run a.toml --seed 3 --variant 'a b'", Command("a.toml", (), (3,), ("a b",))),
        ("mmspec check a.toml", None),
        ("mmspec run 'a.toml", None),
        ("", None),
    ],
)
def test_commands_are_understood(text, found):
    assert list(read_commands(text)) == ([found] if found else [])
    if found:
        assert list(read_commands(found.text)) == [found]


def test_several_commands_in_a_line_are_all_understood():
    assert [c.spec for c in read_commands("mmspec run a.toml && mmspec run b.toml; ls")] == [
        "a.toml",
        "b.toml",
    ]


# ---------------------------------------------------------------- what is not there


def test_runs_that_the_spec_asks_for_are_named_with_the_command(runs, report):
    write(runs, skip=[("guided", 2), *(("rubi", seed) for seed in (0, 1, 2))])
    _, notes = report(MADE)
    assert f"Asked for by {SPEC}, and not there: rubi, seeds 0–2; guided, seed 2; {RUN} makes them." in notes


def test_a_seed_that_all_rows_lack_is_named(runs, report):
    write(runs, skip=[(variant, 2) for variant in VARIANTS])
    assert "uni-modal grey, seed 2; uni-modal color, seed 2; none, seed 2;" in report()[1]


def test_what_the_reports_command_does_not_pick_is_not_missing(runs, report):
    write(runs, skip=[("rubi", 0), ("none", 1)])
    _, notes = report(MADE.replace(RUN, f"{RUN} --variant none"))
    assert f"Asked for by {SPEC}, and not there: none, seed 1; {RUN} --variant none makes it." in notes
    assert "rubi" not in notes


def test_a_run_that_failed_is_both_left_out_and_asked_for(runs, report):
    write(runs, skip=[("guided", 2)])
    folder = write_run(runs, {"variant": "guided"}, 2, {}, status="failed")
    _, notes = report()
    assert "not there: guided, seed 2;" in notes
    assert f"Left out, failed: {folder.name}." in notes


def test_experiments_without_any_run_are_named(runs, report):
    write(runs)
    text = SMALL.replace('["colored_digits"]', '["colored_digits", "other"]')
    commands = f'[made_by]\ncolored_digits = "{RUN}"\nother = "mmspec run specs/other.toml"\n[[tables]]'
    _, notes = report(text.replace("[[tables]]", commands, 1))
    assert "No finished run of other; mmspec run specs/other.toml makes them." in notes


def test_comparing_needs_no_torch(here, runs):
    import subprocess
    import sys

    write(runs)
    (here / "report.toml").write_text(MADE)
    code = (
        "import sys\nfrom pathlib import Path\nfrom mmspec.report.render import make_document\n"
        "d = make_document(Path('report.toml'), runs_root=Path('runs'), folder=Path('.'), draw=False)\n"
        "assert d.comparison.present.asked and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=here)


# ---------------------------------------------------------------- what never enters


def test_a_run_that_is_still_running_is_left_out_named_and_not_asked_for(runs, report):
    write(runs, skip=[("guided", 2)])
    folder = write_run(runs, {"variant": "guided"}, 2, {}, status="running")
    with held(folder / "lock"):
        document, notes = report()
    assert [cell.seeds_expected for cell in document.tables[0].table.cells["guided"]] == [3]
    assert len(document.tables[0].table.cells["guided"][0].taken) == 2
    assert f"Left out, still running: {folder.name}." in notes
    assert "not there" not in notes


@pytest.mark.parametrize(
    ("status", "options", "why"),
    [
        ("failed", {}, "failed"),
        ("unfinished", {}, "unfinished"),
        ("finished", {"smoke": True}, "smoke runs"),
        ("finished", {"lr": 1, "created": "2020-01-01"}, "stale (the spec has changed since)"),
    ],
)
def test_each_run_that_does_not_enter_is_named_in_every_format(runs, report, here, status, options, why):
    write(runs)
    before = remarks(report()[0])
    folder = write_run(runs, {"variant": "guided"}, 0, {"test/accuracy": 9.0}, status=status, **options)
    document, notes = report()
    assert remarks(document) == before
    assert f"Left out, {why}: {folder.name}." in notes
    assert folder.name in (here / "out" / "table.md").read_text()
    left_out = json.loads((here / "out" / "report.json").read_text())["left_out"]
    assert [left["id"] for left in left_out] == [folder.name]


def test_a_copy_of_a_run_counts_once_and_is_named(runs, report):
    write(runs)
    folder = next((runs / "colored_digits").glob("guided-s1-*"))
    shutil.copytree(folder, folder.with_name("copy"))
    document, notes = report()
    assert len(document.tables[0].table.cells["guided"][0].taken) == 3
    assert f"Left out, copies of a run: {folder.name}." in notes
