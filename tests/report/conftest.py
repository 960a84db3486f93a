from __future__ import annotations

import pytest
from fake_runs import write_demo
from fake_tables import NUMBERS, document
from fake_tables import runs as in_memory

from mmspec.plugins.discovery import Discovery
from mmspec.plugins.registry import make_registry
from mmspec.report import render_report
from mmspec.report.figures import Bars, Confusion, Curves, Paired, Points, Scatter
from mmspec.report.runs.stale import Comparison, compare


@pytest.fixture(scope="session")
def registry():
    """The figures of mmspec, whatever is installed."""
    figures = (Bars, Confusion, Curves, Paired, Points, Scatter)
    return make_registry(Discovery((), ())).with_plugins(
        {("figure", figure.__name__.lower()): figure for figure in figures}
    )


@pytest.fixture(scope="module", autouse=True)
def _no_comparison():
    """Made-up runs have made-up specs and code: they are compared with nothing unless a test asks for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmspec.report.render.compare", lambda *_: Comparison())
        yield


@pytest.fixture
def comparing(monkeypatch):
    """The runs of this test are compared with the specs on disk and the code that is installed."""
    monkeypatch.setattr("mmspec.report.render.compare", compare)


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def demo(runs):
    write_demo(runs)
    return runs


@pytest.fixture
def render(tmp_path, runs, registry):
    """Render a definition given as text; returns the report."""

    def render(text, formats=("json",), out=None):
        path = tmp_path / "report.toml"
        path.write_text(text, encoding="utf-8")
        return render_report(
            path, runs_root=runs, out=out or tmp_path / "out", formats=formats, registry=registry
        )

    return render


@pytest.fixture
def make(tmp_path, registry):
    """A report, unwritten, of runs in memory."""
    return lambda text, found=None: document(text, found or in_memory(NUMBERS), tmp_path, registry)
