from __future__ import annotations

import math

from fake_runs import FUSED, SMALL, plain, write_demo, write_run


def notes(report):
    return plain(report.document.tables[0].notes), plain(report.document.notes)


def test_a_whole_table_says_seeds_and_tests_and_no_more(demo, render):
    report = render(SMALL)
    under, about = notes(report)
    hashes = [run.identity["spec_hash"][:8] for _, run in report.document.used]
    assert under == (
        "Mean ± standard deviation (n − 1) over n = 3 seeds (0–2).\n"
        "Best of a column in bold; ranked as rounded, so ties share the mark.\n"
        "† differs from none: Welch's t-test, p < 0.05 after Holm's correction over the tests of the column; "
        "cells with fewer than 3 seeds are not tested. "
        "Marked: guided, random, rubi, uni-modal color, uni-modal grey.\n"
        "Columns as split/metric: test test/accuracy.\n"
        f"From 18 runs; their spec hashes: {', '.join(hashes[:11])} and 7 more."
    )
    assert about == ""


def test_missing_rows_and_seeds_come_with_the_command_that_makes_them(runs, render):
    write_demo(runs, variants=("none",))
    write_demo(runs, variants=("guided",), seeds=(1,))
    text = SMALL.replace('by = "variant"', 'by = "variant", order = ["none", "guided", "rubi"]')
    under, _ = notes(render(text))
    assert "No finished run of rubi; mmspec run specs/colored_digits.toml makes it." in under
    assert "guided without seeds 0, 2; mmspec run specs/colored_digits.toml makes them." in under
    assert "unless a cell says otherwise" in under
    assert "; make it so makes it." in notes(render('made_by = "make it so"\n' + text))[0]


def test_runs_that_do_not_enter_are_named(runs, render):
    write_demo(runs, variants=("none",))
    for seed, status in enumerate(("failed", "unfinished")):
        write_run(runs, {"variant": "guided"}, seed, {}, status=status, name=f"guided-{status}")
    write_run(runs, {"variant": "x"}, 0, {"test/accuracy": 1.0}, smoke=True)
    write_run(runs, {"other": 1}, 0, {"test/accuracy": 1.0})
    report = render(SMALL)
    _, about = notes(report)
    ids = {left.reason: left.run.id for left in report.document.selection.left_out}
    assert f"Left out, failed: {ids['failed']}." in about
    assert f"Left out, unfinished: {ids['unfinished']}." in about
    assert f"Left out, smoke runs: {ids['smoke']}." in about
    assert "In no row: 1-s0-" in about


def test_no_left_out_run_gives_a_number(runs, render):
    write_demo(runs, variants=FUSED)
    clean = render(SMALL).document.tables[0].table
    for seed in range(5):
        write_run(runs, {"variant": "none"}, seed, {"test/accuracy": 9.0}, status="failed", lr=seed)
        write_run(runs, {"variant": "none"}, seed, {"test/accuracy": 9.0}, smoke=True, code="s")
        write_run(runs, {"variant": "none"}, seed, {"test/accuracy": 9.0}, created="2020", lr=-1)
    again = render(SMALL).document.tables[0].table
    assert [c[0].values for c in again.cells.values()] == [c[0].values for c in clean.cells.values()]


def test_code_and_data_that_differ_are_told(runs, render):
    for seed in (0, 1):
        write_run(runs, {"variant": "none"}, seed, {"test/accuracy": 0.5}, code=str(seed))
    assert "they differ in mmspec." in notes(render(SMALL))[1]


def test_values_that_are_not_numbers_are_told_with_their_run(runs, render):
    write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.5})
    folder = write_run(runs, {"variant": "none"}, 1, {"test/accuracy": math.nan})
    assert f"Not a finite number: none, test/accuracy in {folder.name}" in notes(render(SMALL))[0]


def test_what_no_run_holds_gets_its_nearest_name(demo, render):
    under, _ = notes(render(SMALL.replace("test/accuracy", "test/acuracy")))
    assert "No run holds test/acuracy; did you mean test/accuracy?" in under


def test_what_some_rows_do_not_measure_is_told(demo, render):
    under, _ = notes(render(SMALL.replace("test/accuracy", "train/d_speed")))
    assert "– not measured: uni-modal color, uni-modal grey without train/d_speed." in under


def test_a_damaged_run_is_told(demo, render):
    victim = next((demo / "colored_digits").glob("guided-s1*"))
    (victim / "result.json").write_text("{")
    under, about = notes(render(SMALL))
    assert f"Cannot be read: {victim / 'result.json'} is damaged" in about
    assert "guided without seed 1" in under
