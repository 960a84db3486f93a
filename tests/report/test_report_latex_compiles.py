from __future__ import annotations

import shutil
import subprocess

import pytest
from fake_runs import DEMO, REPORTS, SMALL, write_paper, write_run
from test_report_formats import HOSTILE

from mmspec.report import render_report

PAPER = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\begin{document}
\input{table.tex}
\end{document}
"""


def compile_paper(folder):
    (folder / "paper.tex").write_text(PAPER)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "??" not in done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_the_tables_compile(demo, runs, render, tmp_path):
    render(DEMO.read_text(), formats=("latex",))
    compile_paper(tmp_path / "out")
    shutil.rmtree(runs)
    for index, name in enumerate(HOSTILE):
        write_run(runs, {"variant": name}, 0, {"test/accuracy": 0.5}, name=str(index))
    render(SMALL.replace('baseline = "none"\n', "underline_second = true\n"), formats=("latex",))
    compile_paper(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_wide_tables_fit_the_line(runs, tmp_path, registry):
    write_paper(runs)
    out = tmp_path / "out"
    render_report(REPORTS / "wu2022.toml", runs_root=runs, out=out, formats=("latex",), registry=registry)
    assert "Overfull" not in compile_paper(out)
