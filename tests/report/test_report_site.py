from __future__ import annotations

import json
import re
from pathlib import Path

import attrs
import pytest
from fake_runs import DEMO, SMALL, write_demo, write_run
from strict_html import read_site

from mmspec.errors import ReportError
from mmspec.plugins.recorded import RecordedRun
from mmspec.report.render import make_document
from mmspec.report.runs.selection import select
from mmspec.report.site import write_site

HOSTILE = "<script>alert(1)</script>\"'&\u2028\u202e`</title>"
SOURCE = """\
mmspec = 1
name = "colored_digits"
extends = "../shared/_base.toml"
[[variants]]
name = "none"
[[variants]]
name = "guided"
balancing = { use = "guided", alpha = 0.5 }
"""
BASE = 'dataset = "colored_digits"\n[train]\nepochs = 12\n'
GRAPH = (
    '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><style>*{fill:red}</style>'
    '<script>alert(1)</script><g id="a"><text x="1" style="fill:blue">conv</text></g>'
    '<a href="javascript:alert(1)"><path d="M0 0"/></a><use href="#a"/></svg>'
)


@pytest.fixture
def site(tmp_path, runs, registry):
    """Write the site of a definition given as text."""

    def site(text=SMALL, folder=None, draw=False):
        path = tmp_path / "report.toml"
        path.write_text(text, encoding="utf-8")
        folder = folder or tmp_path / "site"
        document = make_document(path, runs_root=runs, folder=folder, registry=registry, draw=draw)
        return write_site(document, folder)

    return site


@pytest.fixture
def rich(runs):
    """A run that has recorded everything, and the baseline."""
    write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.4})
    folder = write_run(
        runs,
        {"variant": "guided"},
        0,
        {"train/loss": 0.5, "val/loss": 0.6, "test/accuracy": 0.9, "test/d_util": float("nan")},
        rows=[
            {"kind": kind, "stage": "train", "step": step, "epoch": step // 10, "values": values}
            for step in range(10, 130, 10)
            for kind, values in (
                ("step", {"train/loss": 9 / step, "train/lr": 0.1}),
                ("epoch", {"val/loss": 10 / step, "val/accuracy": step / 200}),
            )
        ],
        balancing={"use": "guided", "alpha": 0.5, "window": 5},
    )
    (folder / "source").mkdir()
    (folder / "source" / "digits.toml").write_text(SOURCE)
    (folder / "source" / "_base.toml").write_text(BASE)
    (folder / "graph.svg").write_text(GRAPH)
    nodes = [{"id": "source.grey", "kind": "source"}, {"id": "conv", "plugin": "small_cnn"}]
    edges = [{"source": "source.grey", "target": "conv", "shape": [1, 28, 28]}]
    (folder / "graph.json").write_text(json.dumps({"stages": {"train": {"nodes": nodes, "edges": edges}}}))
    (folder / "log.txt").write_text("".join(f"line {n}\n" for n in range(1000)))
    provenance = json.loads((folder / "provenance.json").read_text())
    git = {"commit": "abcdef0123456", "dirty": True, "changed": [" M a.py"], "diff": "+x < y\n"}
    provenance |= {"git": git, "host": "my-laptop", "packages": {"torch": "2.13.0"}, "device": "H200"}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


def page_of(made, folder):
    return (made.start.parent / "runs" / f"{folder.name}.html").read_text()


def test_the_demos_site_is_whole(demo, site, tmp_path, runs, registry):
    made = site(DEMO.read_text(), draw=True)
    pages = read_site(made.start.parent)
    assert len(pages) == 2 + 18
    assert made.files == 4 + 1 + 2 * 18
    overview = pages["index.html"]
    names = {folder.name for folder in (runs / "colored_digits").iterdir()}
    assert set(overview.links) >= {f"runs/{name}.html" for name in names}
    definition = make_document(
        DEMO, runs_root=runs, folder=tmp_path, registry=registry, draw=False
    ).definition
    assert overview.counts["svg"] == len(definition.figures)
    text = made.start.read_text()
    places = [text.index(f">{block.title}") for block in (*definition.tables, *definition.figures)]
    assert places == sorted(places)


def test_cells_open_to_the_pages_of_their_runs(demo, site):
    text = site().start.read_text()
    row = text[text.index('<th scope="row">guided</th>') :]
    cell = row[row.index("<details>") : row.index("</details>")]
    links = re.findall(r'<li><a href="runs/(guided-s\d)-[0-9a-f]{8}\.html" title="[^"]*">seed \d</a>', cell)
    assert links == ["guided-s0", "guided-s1", "guided-s2"]


def test_a_runs_page_shows_what_it_recorded(rich, site):
    text = page_of(site(), rich)
    for said in (
        "alpha", "digits.toml:8", "_base.toml:3", "default", "2.13.0", "with changes", "+x &lt; y",
        "line 0", "line 999", "lines are left out here", "Graph of stage train as a list", "1×28×28", "H200",
        "0.9", "NaN", "The same throughout: <code>lr</code>&nbsp;0.1",
    ):  # fmt: skip
        assert said in text, said
    assert "line 500" not in text
    assert "my-laptop" not in text
    assert text.count('class="chart" role="img"') == 2
    assert "train: from 0.9 at step 10 to 0.075 at step 120" in text


def test_drawings_only_draw(rich, site):
    made = site()
    text = page_of(made, rich)
    assert '<text x="1" fill="blue">conv</text>' in text
    assert 'id="graph0-a"' in text
    assert 'href="#graph0-a"' in text
    assert not re.search(r"alert|onload|<style|javascript", text)
    read_site(made.start.parent)


def test_nothing_that_a_run_says_becomes_code(runs, site):
    folder = write_run(
        runs, {"variant": HOSTILE}, 0, {"test/accuracy": 0.5}, name="hostile", optimizer={"use": HOSTILE}
    )
    for variant in ("none", "failed"):
        status = "failed" if variant == "failed" else "finished"
        write_run(runs, {"variant": variant}, 0, {"test/accuracy": 0.4}, status=status)
    (folder / "source").mkdir()
    (folder / "source" / "a.toml").write_text(HOSTILE)
    (folder / "log.txt").write_text(HOSTILE)
    (folder / "graph.svg").write_text(f"<svg>{HOSTILE}")
    rows = [{"kind": "step", "stage": HOSTILE, "step": s, "epoch": 1, "values": {HOSTILE: s}} for s in (1, 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    provenance = {"created": HOSTILE, "command": HOSTILE, "packages": {HOSTILE: HOSTILE}, "device": HOSTILE}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    made = site()
    pages = read_site(made.start.parent)
    assert len(pages) == 5
    for name, page in pages.items():
        assert page.scripts == {"index.html": ["runs.js"], "compare.html": ["compare.js"]}.get(name, []), name
    for script in (made.start.parent / "runs").glob("*.js"):
        text = script.read_text()
        assert text.isascii()
        assert "<" not in text
        name, data = json.loads("[" + text.removeprefix("mmspecRun(").removesuffix(");\n") + "]")
        assert name == script.stem
        assert data["spec"]["seed"] == "0"


def test_a_failed_run_has_a_page_and_says_why(runs, site):
    write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.4})
    failed = write_run(runs, {"variant": "guided"}, 0, {}, status="failed")
    (failed / "failure.json").write_text(
        json.dumps(
            {"error": "out of memory", "kind": "RuntimeError", "traceback": "line 1\n  line 2", "time": ""}
        )
    )
    made = site()
    text = page_of(made, failed)
    assert "<strong>RuntimeError:</strong> out of memory" in text
    assert "left out, failed" in text
    overview = made.start.read_text()
    left_out = overview[overview.index('id="left-out"') :]
    assert failed.name in left_out
    assert "✗" in left_out


def test_a_damaged_part_is_said_and_the_rest_stands(runs, site, tmp_path):
    folder = write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.4})
    (folder / "metrics.jsonl").write_text("nonsense\nnonsense\n")
    made = site()
    text = page_of(made, folder)
    assert "metrics.jsonl this row is damaged" in text
    assert 'id="results"' in text
    assert str(tmp_path) not in text
    read_site(made.start.parent)


def test_no_page_tells_where_the_author_works(rich, site, tmp_path):
    made = site()
    for path in made.start.parent.rglob("*.*"):
        assert str(tmp_path) not in path.read_text(), path.name


def test_siblings_and_baseline_are_linked(demo, site):
    made = site()
    pages = read_site(made.start.parent)
    name = next(name for name in pages if name.startswith("runs/guided-s0"))
    links = pages[name].links
    assert sum(link.startswith("guided-s") for link in links) == 2
    assert sum(re.match(r"(none|rubi|random|uni-modal-\w+)-s0", link) is not None for link in links) == 5
    baseline = next(link for link in links if link.startswith("none-s0"))
    assert f"../compare.html#a={baseline[:-5]}&b={Path(name).stem}" in links


@attrs.frozen(eq=False, slots=False)
class Elsewhere(RecordedRun):
    """A run of a service: it has no directory."""

    place: str

    @property
    def address(self):
        return self.place

    @property
    def provenance(self):
        return {}

    def rows(self, kind=None, names=None, stage=None):
        return iter(())


def elsewhere(run_id, seed, place):
    stages = [{"name": "train", "dataset": {"use": "digits"}}]
    spec = {"name": "digits", "seed": seed, "labels": {"variant": "none"}, "stages": stages}
    result = {"values": {"test/accuracy": 0.5}, "stages": {}, "seconds": 3.0}
    return Elsewhere("finished", spec, {"id": run_id, "spec_hash": f"{seed}" * 8}, result, place)


def test_runs_without_a_directory_have_pages_with_safe_names(tmp_path, demo, registry):
    path = tmp_path / "report.toml"
    path.write_text(SMALL)
    folder = tmp_path / "site"
    document = make_document(path, runs_root=demo, folder=folder, registry=registry)
    ids = ["../../etc/passwd", "a", "A", "..", "x" * 300, "é/ü"]
    runs = [elsewhere(name, seed, f"https://wandb.ai/e/p/runs/{seed}") for seed, name in enumerate(ids)]
    runs.append(elsewhere("b", 9, "javascript://x"))
    write_site(attrs.evolve(document, selection=select(runs), used=[], blocks=[]), folder)
    names = [path.name for path in (folder / "runs").glob("*.html")]
    assert len({name.lower() for name in names}) == len(runs)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.html", name) for name in names)
    text = (folder / "runs" / "a.html").read_text()
    assert 'href="https://wandb.ai/e/p/runs/1"' in text
    assert "<code>javascript://x</code>" in (folder / "runs" / "b.html").read_text()


def test_only_what_changed_is_written_and_only_what_is_ours_removed(demo, site, runs):
    made = site()
    mine = made.start.parent / "runs" / "notes.html"
    mine.write_text("mine")
    assert site().wrote == 0
    gone = next(folder for folder in (runs / "colored_digits").iterdir() if folder.name.startswith("rubi-s2"))
    (gone / "result.json").unlink()
    (gone / "spec.json").unlink()
    again = site()
    assert (again.runs, again.removed) == (17, 2)
    assert not list((made.start.parent / "runs").glob(f"{gone.name}*"))
    assert mine.exists()
    marker = made.start.parent / ".mmspec-site.json"
    assert f"runs/{gone.name}.html" not in marker.read_text()
    victim = made.start.parent.parent / "victim.html"
    victim.write_text("mine")
    marker.write_text(json.dumps({"site": 1, "files": ["../victim.html", "runs/../../victim.html"]}))
    site()
    assert victim.exists()


def test_a_folder_with_other_files_is_refused(demo, site, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(ReportError, match="a site needs a folder of its own"):
        site(folder=other)
    assert (other / "index.html").read_text() == "mine"
    assert len(list(other.iterdir())) == 1


def test_two_runs_that_look_alike_have_two_pages(tmp_path, site, runs):
    write_demo(runs, seeds=(0,))
    for code in ("1", "2"):
        write_run(runs, {"variant": "none"}, 5, {"test/accuracy": 0.1}, name=f"copy{code}")
    made = site()
    assert made.runs == 8
    read_site(made.start.parent)
