"""The documentation says what the code does: specs resolve, Python runs, commands parse, links lead on."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import click
import pytest
from pages import PAGES, ROOT, anchors, blocks, commands, inline_code, links, prose, read

import mmspec
from mmspec.cli import cli
from mmspec.errors import SpecError
from mmspec.plugins.registry import KINDS, default_registry
from mmspec.plugins.resolve import resolve
from mmspec.report.reading import read_definition
from mmspec.spec.load import read_document

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
#: Files that a page tells the reader to write.
TO_BE_WRITTEN = {"specs/alphas.toml", "reports/alphas.toml", "runs/alphas"}
PART = 'mmspec = 1\nname = "part"\nextends = "_colored_digits.toml"\n'


def by_place(found):
    return pytest.mark.parametrize("block", found, ids=[block.id for block in found])


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """The working folder of a reader: a copy of the specs and reports, no runs yet."""
    for folder in ("specs", "reports"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---------------------------------------------------------------- specs


@by_place(blocks("toml spec", "toml part"))
def test_specs_resolve(block, checkout):
    path = checkout / "specs" / "shown.toml"
    path.write_text(PART * (block.info == "toml part") + block.text)

    assert resolve(read_document(path))


@by_place(blocks("toml report"))
def test_report_definitions_can_be_read(block, checkout):
    path = checkout / "reports" / "shown.toml"
    path.write_text(block.text)

    assert read_definition(path, default_registry()).definition.title


@by_place(blocks("toml wrong"))
def test_mistakes_are_told_as_shown(block, checkout):
    shown = next(b for b in blocks("text", page=block.page) if b.line > block.line)
    path = Path(shown.text.partition(":")[0])
    path.write_text(block.text)

    with pytest.raises(SpecError) as caught:
        resolve(read_document(path))

    assert str(caught.value) == shown.text.rstrip("\n")


def test_every_toml_block_is_checked_or_no_spec():
    unmarked = [b.id for b in blocks("toml") if "[project" not in b.text]

    assert unmarked == []


# ---------------------------------------------------------------- Python


def run_blocks(found, name, monkeypatch):
    """Execute blocks one after the other, as cells of one module."""
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    for block in found:
        code = "\n" * (block.line - 1) + block.text
        exec(compile(code, str(block.page), "exec"), module.__dict__)


def test_python_page_runs(checkout, monkeypatch, capsys):
    run_blocks(blocks("python run", page=ROOT / "docs" / "python.md"), "shown", monkeypatch)

    assert capsys.readouterr().out.startswith("<Experiment colored_digits: 6 runs>\n")


@pytest.mark.slow
def test_python_page_runs_with_processes(checkout, monkeypatch, capsys):
    run_blocks(
        blocks("python run", "python run slow", page=ROOT / "docs" / "python.md"), "shown", monkeypatch
    )

    said = capsys.readouterr().out
    assert "finished" in said


@by_place([block for block in blocks() if block.language == "python"])
def test_python_blocks_name_what_there_is(block):
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "mmspec":
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


# ---------------------------------------------------------------- plugins shown in CONTRIBUTING


@pytest.fixture
def my_package(tmp_path, monkeypatch):
    """The plugins of CONTRIBUTING as a package, and a registry that knows them."""
    folder = tmp_path / "my_package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name in ("plugins.py", "working.py"):
        text = "\n\n".join(block.text for block in blocks(f"python {name}", page=CONTRIBUTING))
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("my_package", "my_package.plugins", "my_package.working"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("my_package.plugins")
    own = [cls for cls in vars(module).values() if inspect.isclass(cls) and cls.__module__ == module.__name__]
    names = {
        (cls.kind, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()): cls
        for cls in own
        if hasattr(cls, "kind")
    }
    yield SimpleNamespace(plugins=module, registry=default_registry().with_plugins(names), kinds=dict(names))
    for name in ("my_package", "my_package.plugins", "my_package.working"):
        sys.modules.pop(name, None)


def test_there_is_an_example_of_each_kind(my_package):
    assert sorted(kind for kind, _ in my_package.kinds) == sorted(KINDS)


def test_example_plugins_keep_their_promises(my_package, monkeypatch, tmp_path):
    (test,) = blocks("python test", page=CONTRIBUTING)
    run_blocks([test], "shown_test", monkeypatch)

    sys.modules["shown_test"].test_the_plugins(tmp_path)


def test_example_plugins_train_together(my_package, tmp_path):
    (spec,) = blocks("toml my_package", page=CONTRIBUTING)
    (tmp_path / "pairs.toml").write_text(spec.text)
    trainer = mmspec.load(tmp_path / "pairs.toml", registry=my_package.registry).runs[0].build()

    first = [trainer.step(batch) for batch in trainer.batches()]
    values = trainer.end_epoch()

    assert len(first) == 3  # half of the samples
    assert set(first[0].figures) == {"running.left", "running.right"}
    assert 0 <= values["val/agreement"] <= 1


def test_example_launcher_and_figure(my_package):
    plugins, said = my_package.plugins, []
    ends = {"a": [sys.executable, "-c", "pass"], "b": [sys.executable, "-c", "raise SystemExit(1)"]}

    statuses = plugins.OneByOne().launch(ends, jobs=1, changed=lambda *event: said.append(event))

    assert statuses == {"a": 0, "b": 1}
    assert said == [("a", "started"), ("a", "finished"), ("b", "started"), ("b", "failed")]

    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    run = SimpleNamespace(values={"test/accuracy": 0.5})
    look = {"color": "k", "linestyle": "-", "marker": "o"}
    remarks = plugins.Seeds(value="test/accuracy").draw({"x": [run], "y": []}, axes, {"x": look, "y": look})
    assert list(remarks) == ["Without test/accuracy: y."]


# ---------------------------------------------------------------- commands


MMSPEC = [(where, line) for where, line in commands() if re.match(r"mmspec( |$)", line)]


@pytest.mark.parametrize(("where", "line"), MMSPEC, ids=[f"{where} {line[:60]}" for where, line in MMSPEC])
def test_commands_parse(where, line):
    words = shlex.split(line, comments=True)[1:]
    command, context = cli, click.Context(cli, info_name="mmspec")
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        name, command, words = command.resolve_command(context, words)
        context = click.Context(command, info_name=name, parent=context)
    if words:
        with contextlib.suppress(click.exceptions.Exit):  # --help
            command.make_context(command.name, list(words), parent=context.parent)


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {line.split()[1] for _, line in commands() if re.match(r"make [a-z]", line)}

    assert shown <= targets
    assert "demo" in shown


# ---------------------------------------------------------------- links and tables


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page):
    path = re.compile(r"(mmspec|plugins|specs|reports|tests|docs|examples|benchmarks)/[\w./-]+")
    base = [ROOT, page.parent]
    named = {code for code in inline_code(page) if path.fullmatch(code)} - TO_BE_WRITTEN

    assert [name for name in sorted(named) if not any((folder / name).exists() for folder in base)] == []


def test_every_page_is_on_the_map():
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}

    assert {page for page in PAGES if page.parent == index.parent} - linked == {index}


def load_generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "page", [p for p in PAGES if "<!-- generated" in read(p)], ids=lambda page: page.name
)
def test_generated_tables_are_what_the_code_says(page):
    text = read(page)

    assert text == load_generator().generated(text, default_registry()), "run: python docs/generate.py"


def test_every_kind_and_key_has_its_table():
    text = "".join(read(page) for page in PAGES if page.parent.name == "docs")
    wanted = {*load_generator().RECORDS, *(f"plugins {kind}" for kind in KINDS)}

    assert {name for name in wanted if f"<!-- generated: {name} -->" not in text} == set()


def test_plain_words():
    """No page has a number about speed: those are measured, in benchmarks."""
    claims = re.compile(r"\d+(\.\d+)?\s*(×|x|times|%)\s+(faster|slower)", re.IGNORECASE)

    assert [str(page) for page in PAGES if claims.search(prose(page))] == []
