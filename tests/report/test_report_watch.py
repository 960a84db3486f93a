from __future__ import annotations

import json
import os
import shutil

import pytest
from click.testing import CliRunner
from fake_runs import SMALL, write_run

from mmspec.cli import cli
from mmspec.report.render import make_document
from mmspec.report.watch import Watcher, watch

TEXT = SMALL.replace('baseline = "none"\n', "")
GUIDED = {"variant": "guided"}


@pytest.fixture
def watcher(tmp_path, runs, registry):
    """A watcher of a report, what its making was told each time (whether to ask services), and its file."""
    path = tmp_path / "report.toml"
    path.write_text(TEXT)
    made = []

    def make(refresh):
        made.append(refresh)
        return make_document(path, runs_root=runs, folder=tmp_path, registry=registry, draw=False)

    return Watcher(path, runs, registry, make), made, path


def touch(path, text):
    """Write a file whose time of change differs whatever the clock's grain."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_it_is_made_once_and_again_only_when_something_changes(demo, watcher):
    watch_it, made, _ = watcher
    told = watch_it.look()
    assert told.document is not None
    assert not told.changes
    assert watch_it.look() is None
    assert watch_it.look() is None
    assert made == [False]


def test_runs_that_finish_fail_and_go_are_told(runs, watcher):
    watch_it, _, _ = watcher
    write_run(runs, GUIDED, 0, {"test/accuracy": 0.5})
    pending = write_run(runs, GUIDED, 1, {}, status="unfinished")
    watch_it.look()
    write_run(runs, GUIDED, 2, {"test/accuracy": 0.5})
    assert watch_it.look().changes == ("+ guided, seed 2",)
    (pending / "failure.json").write_text(json.dumps({"error": "x", "traceback": "", "time": ""}))
    assert watch_it.look().changes == ("  guided, seed 1: failed",)
    shutil.rmtree(next((runs / "colored_digits").glob("guided-s2*")))
    assert watch_it.look().changes == ("- guided, seed 2: no longer there",)
    assert watch_it.look() is None


def test_runs_of_other_experiments_are_not_waited_for(demo, runs, watcher):
    watch_it, made, _ = watcher
    watch_it.look()
    write_run(runs, GUIDED, 0, {"test/accuracy": 0.5}, experiment="other")
    assert watch_it.look() is None
    assert len(made) == 1


def test_it_waits_for_the_first_run_and_says_so_once(runs, watcher):
    watch_it, _, _ = watcher
    told = watch_it.look()
    assert told.document is None
    assert "there are no runs of colored_digits" in str(told.problems[0])
    assert watch_it.look() is None
    write_run(runs, GUIDED, 0, {}, status="unfinished")
    watch_it.look()
    shutil.rmtree(runs)
    write_run(runs, GUIDED, 0, {"test/accuracy": 0.5})
    told = watch_it.look()
    assert told.document is not None
    assert told.changes == ("+ guided, seed 0",)


def test_a_definition_that_is_edited_is_read_again_and_its_mistakes_are_told(demo, watcher):
    watch_it, _, path = watcher
    watch_it.look()
    touch(path, TEXT.replace("title", "titel", 1))
    told = watch_it.look()
    assert told.document is None
    assert any('did you mean "title"' in str(problem) for problem in told.problems)
    assert watch_it.look() is None
    touch(path, TEXT.replace("Small", "Large"))
    assert watch_it.look().document.definition.title == "Large"
    path.unlink()
    assert "there is no file" in str(watch_it.look().problems[0])
    path.write_text(TEXT)
    assert watch_it.look().document is not None


def test_files_that_a_definition_names_are_watched(demo, watcher, tmp_path):
    watch_it, _, path = watcher
    base = tmp_path / "base.toml"
    base.write_text('title = "One"\n')
    path.write_text('extends = "base.toml"\n' + TEXT.replace('title = "Small"\n', ""))
    assert watch_it.look().document.definition.title == "One"
    touch(base, 'title = "Two"\n')
    assert watch_it.look().document.definition.title == "Two"


def test_folders_beside_the_report_are_watched(tmp_path, runs, watcher):
    watch_it, _, path = watcher
    path.write_text(TEXT.replace('["colored_digits"]', '["./elsewhere/"]'))
    write_run(tmp_path / "elsewhere", GUIDED, 0, {"test/accuracy": 0.5})
    assert watch_it.look().document is not None
    write_run(tmp_path / "elsewhere", GUIDED, 1, {"test/accuracy": 0.5})
    assert watch_it.look().changes == ("+ guided, seed 1",)


def test_services_are_asked_now_and_then_and_told_of_what_is_new(runs, watcher, monkeypatch):
    watch_it, made, _ = watcher
    write_run(runs, GUIDED, 0, {"test/accuracy": 0.5})
    watch_it.look()
    assert watch_it.look(ask=True) is None
    assert made == [False], "a report of folders asks nobody"
    monkeypatch.setattr(Watcher, "asks_services", True)
    assert watch_it.look(ask=True) is None
    write_run(runs, GUIDED, 9, {"test/accuracy": 0.5})
    assert watch_it.look(ask=True).changes == ("+ guided, seed 9",)
    assert made == [False, True, True]


def test_a_run_that_vanishes_while_it_is_read_ends_nothing(demo, watcher):
    watch_it, _, _ = watcher

    def gone(_):
        raise FileNotFoundError(2, "No such file or directory", "result.json")

    keep, watch_it.make = watch_it.make, gone
    assert str(watch_it.look().problems[0]) == "result.json: No such file or directory"
    watch_it.make = keep
    write_run(demo, GUIDED, 9, {"test/accuracy": 0.5})
    assert watch_it.look().document is not None


def test_the_loop_asks_at_its_pace_until_interrupted(demo, watcher):
    watch_it, _, _ = watcher
    told, slept = [], []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(watch_it, told.append, every=0.5, ask_every=0.0, sleep=sleep)
    assert slept == [0.5, 0.5, 0.5]
    assert len(told) == 1


def test_ctrl_c_ends_the_command_with_success(demo, tmp_path, monkeypatch):
    (tmp_path / "report.toml").write_text(TEXT)
    looks = []

    def sleep(_):
        looks.append(1)
        if len(looks) == 1:
            write_run(demo, GUIDED, 9, {"test/accuracy": 0.5})
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr("mmspec.cli.watching.watch", lambda *parts: watch(*parts, sleep=sleep))
    out = tmp_path / "out"
    options = ["--runs", str(demo), "--out", str(out), "--watch", "--format", "markdown"]
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "report.toml"), *options])
    assert done.exit_code == 0, done.output
    assert "+ guided, seed 9" in done.output
    assert done.output.count(f"wrote 1 files to {out}") == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--table", "1"], "give both"),
        (["--explain", "a", "b", "--watch"], "--explain writes nothing"),
        (["--watch", "--site", "s"], "--watch does not write sites"),
    ],
)
def test_options_that_contradict_each_other_are_refused(tmp_path, options, said):
    done = CliRunner().invoke(cli, ["report", "r.toml", *options])
    assert done.exit_code == 2
    assert said in done.output


def test_the_command_explains_a_cell(demo, tmp_path):
    (tmp_path / "report.toml").write_text(TEXT)
    options = ["--runs", str(demo), "--explain", "guided", "test"]
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "report.toml"), *options])
    assert done.exit_code == 0, done.output
    assert "The cell\tvalue\ttest/accuracy, shown times 100" in done.output
    assert not (tmp_path / "output").exists()


def test_the_diff_of_a_run_is_shown(runs):
    folder = write_run(runs, GUIDED, 0, {"test/accuracy": 0.5})
    provenance = json.loads((folder / "provenance.json").read_text())
    git = {"commit": "abc", "dirty": True, "changed": [], "diff": "+new line\n"}
    (folder / "provenance.json").write_text(json.dumps(provenance | {"git": git}))
    done = CliRunner().invoke(cli, ["runs", "show", str(folder), "--diff"])
    assert done.output == "+new line\n"
