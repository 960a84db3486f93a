"""From a definition and runs to files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from mmspec.errors import Location, Problem, ReportError
from mmspec.graph.identity import SMOKE
from mmspec.plugins.api import Figure
from mmspec.plugins.recorded import RecordedRun
from mmspec.plugins.registry import Registry, default_registry
from mmspec.report.checks import check_baseline
from mmspec.report.definition import Definition, Rows, shown
from mmspec.report.document import Block, Document, NotedTable, Picture, Words, paragraphs, used_runs
from mmspec.report.formats import html, latex, markdown, numbers
from mmspec.report.formats.terminal import Terminal
from mmspec.report.leaderboards.board import Board, Elsewhere, build_boards
from mmspec.report.reading import Reading, read_definition
from mmspec.report.runs.groups import Groups, check_one_setting, group, rows_of
from mmspec.report.runs.missing import all_commands, missing_in_figure
from mmspec.report.runs.notes import report_notes
from mmspec.report.runs.present_notes import stale_rows
from mmspec.report.runs.selection import Selection, experiments, read_runs, said
from mmspec.report.runs.sources import is_name, read_sources
from mmspec.report.runs.stale import Comparison, compare
from mmspec.report.style import as_files, drawing, looks
from mmspec.report.tables.build import build_table
from mmspec.report.tables.notes import table_notes
from mmspec.report.text import Sentence
from mmspec.spec.findings import Findings
from mmspec.spec.words import listed

#: What a report can be written as, by the name of the format.
_TEXTS: Mapping[str, tuple[str, Callable[[Document], str]]] = {
    "markdown": ("table.md", markdown.render),
    "latex": ("table.tex", latex.render),
    "html": ("index.html", html.render),
    "csv": ("table.csv", numbers.as_csv),
    "json": ("report.json", numbers.as_json),
}
_DRAWN = ("svg", "png", "pgf")
FORMATS = (*_TEXTS, *_DRAWN)


@attrs.frozen
class Report:
    """A rendered report: what it says, and the files that were written."""

    document: Document
    files: tuple[Path, ...]

    def terminal(self) -> Terminal:
        """The tables and notes, for a rich console to print."""
        return Terminal(self.document)


def default_folder(path: Path) -> Path:
    """Where the files of a report go if nobody says."""
    return Path("output") / path.stem


def render_report(
    path: Path,
    *,
    runs_root: Path,
    out: Path,
    formats: Sequence[str] = FORMATS,
    registry: Registry | None = None,
    refresh: bool = False,
) -> Report:
    """Make the report that the definition at `path` asks for, and write it under `out`.

    Raises:
        ReportError: the definition is wrong, asks for what the runs do not hold, or cannot be written.
    """
    if unknown := [name for name in formats if name not in FORMATS]:
        raise ReportError(f"there is no format {unknown[0]!r}", hint=f"formats: {', '.join(FORMATS)}")
    draw = bool({"html", "markdown", *_DRAWN} & set(formats))
    document = make_document(
        path, runs_root=runs_root, folder=out, registry=registry, refresh=refresh, draw=draw
    )
    return Report(document, tuple(write_document(document, out, formats)))


def make_document(
    path: Path,
    *,
    runs_root: Path,
    folder: Path,
    registry: Registry | None = None,
    refresh: bool = False,
    draw: bool = True,
) -> Document:
    """The report that the definition at `path` asks for, unwritten; links are as seen from `folder`.

    `refresh` asks services again for what is in the cache.

    Raises:
        ReportError: the definition is wrong, or asks for what the runs do not hold.
    """
    registry = registry or default_registry()
    reading = read_definition(path, registry)
    selection = read_sources(
        reading.definition.runs,
        runs_root,
        beside=path.parent,
        registry=registry,
        refresh=refresh,
        where=lambda index: reading.source.where("runs", index),
    )
    if all(run.is_smoke for run in selection.all_runs):
        raise _no_runs(reading, runs_root, selection)
    comparison = compare(selection, reading.definition.made_by, registry)
    return build_document(reading, selection, folder, comparison, draw=draw)


def _no_runs(reading: Reading, root: Path, selection: Selection) -> ReportError:
    """There is nothing to report on: what was looked for, and how to make it."""
    patterns = reading.definition.runs
    under = f" under {root}" if any(map(is_name, patterns)) else ""
    what = f"there are no runs of {', '.join(patterns)}{under}"
    if selection.all_runs or read_runs(root, [SMOKE + pattern for pattern in patterns]).all_runs:
        what += ", but for smoke runs, whose numbers mean nothing"
    there = listed(folder.name for folder in experiments(root) if not folder.name.startswith(SMOKE))
    commands = all_commands(reading.definition.made_by)
    hint = f"make them by: {commands}" if commands else (f"there are runs of: {there}" if there else None)
    return ReportError([Problem(what, reading.source.where("runs"), hint), *selection.problems])


def build_document(
    reading: Reading, selection: Selection, folder: Path, comparison: Comparison, *, draw: bool = True
) -> Document:
    """The report's numbers, and its pictures if they are to be drawn."""
    definition = reading.definition
    stale = comparison.stale
    tables = [_noted(index, reading, selection, stale) for index in range(len(definition.tables))]
    texts = [Words(block.title, paragraphs(block.text)) for block in definition.texts]
    drawn = [
        _figure_groups(index, figure.panels_by, reading, selection)
        for index, figure in enumerate(reading.figures.values())
    ]
    boards = [_boards(index, reading, selection, stale) for index in range(len(definition.leaderboards))]
    ranked = [board.groups for made in boards for board in made if isinstance(board, Board)]
    used = used_runs([*(noted.table.groups for noted in tables), *drawn, *ranked])
    notes = report_notes(selection, [run for _, run in used], comparison, definition.made_by)
    pictures: list[Picture] = []
    blocks = zip(definition.figures, drawn, reading.figures.items(), strict=True)
    for index, (block, groups, (name, figure)) in enumerate(blocks):
        if draw:
            with _located(reading.source.where("figures", index)):
                data, remarks = _draw(figure, groups)
            remarks += missing_in_figure(groups, selection, definition.made_by)
            remarks += stale_rows(comparison, groups)
            pictures.append(Picture(name, block.title, block.text, data, remarks, groups))
    made: dict[str, Sequence[Sequence[Block]]] = {
        "tables": [[table] for table in tables],
        "figures": [[picture] for picture in pictures],
        "texts": [[words] for words in texts],
        "leaderboards": boards,
    }
    written = [block for kind, index in reading.order for block in _at(made[kind], index)]
    return Document(definition, selection, written, notes, used, folder, comparison)


def _at(blocks: Sequence[Sequence[Block]], index: int) -> Sequence[Block]:
    """The blocks that were made of one of the definition; none of a figure that was not drawn."""
    return blocks[index] if index < len(blocks) else ()


def _noted(index: int, reading: Reading, selection: Selection, stale: Collection[str]) -> NotedTable:
    wanted = reading.definition.tables[index]
    with _located(reading.source.where("tables", index)):
        rows = rows_of(_rows(wanted.rows, reading.definition), selection)
        _check_baseline(wanted.baseline, [row.label for row in rows], index, reading)
        table = build_table(wanted, rows, reading.published, selection, stale=stale)
    return NotedTable(table, table_notes(table, selection, reading.definition.made_by))


def _boards(
    index: int, reading: Reading, selection: Selection, stale: Collection[str]
) -> Sequence[Board | Elsewhere]:
    with _located(reading.source.where("leaderboards", index)):
        wanted = reading.definition.leaderboards[index]
        return build_boards(wanted, reading.listings[index], selection, stale)


def _figure_groups(index: int, panels: str | None, reading: Reading, selection: Selection) -> Groups:
    with _located(reading.source.where("figures", index)):
        groups = group(_rows(reading.definition.figures[index].rows, reading.definition), selection)
        for label, runs in groups.items():
            for part in _panels(runs, panels):
                check_one_setting(label, part)
    return groups


def _rows(rows: Rows | None, definition: Definition) -> Rows:
    rows = rows or definition.rows
    assert rows is not None  # the reading has refused it
    return rows


def _panels(runs: Sequence[RecordedRun], name: str | None) -> list[list[RecordedRun]]:
    """The runs of one row by the panel of the figure that they are drawn in."""
    found: dict[str, list[RecordedRun]] = {}
    for run in runs:
        found.setdefault(shown(said(run, name)) if name else "", []).append(run)
    return list(found.values())


def _check_baseline(name: str | None, labels: list[str], index: int, reading: Reading) -> None:
    """Refuse a baseline that is no row; of rows by value this is known only with the runs."""
    if name is not None:
        findings = Findings()
        check_baseline(name, labels, index, reading.source.root, findings)
        if findings:
            raise ReportError(findings.problems())


@contextmanager
def _located(where: Location) -> Iterator[None]:
    """Errors about a block of the definition say where it stands."""
    try:
        yield
    except ReportError as error:
        problems = [attrs.evolve(p, where=p.where or where) for p in error.problems]
        raise ReportError(problems) from None


def _draw(figure: Figure, groups: Groups) -> tuple[dict[str, bytes], list[Sentence]]:
    with drawing(figure.size(groups)) as canvas:
        remarks = figure.draw(groups, canvas.add_subplot(), looks(groups))
        return as_files(canvas), [(remark,) for remark in remarks]


def write_document(document: Document, out: Path, formats: Iterable[str]) -> Iterator[Path]:
    """Write the files; yields each.

    Raises:
        ReportError: one cannot be written.
    """
    wanted = set(formats)
    if wanted & {"html", "markdown"}:
        wanted.add("svg")
    try:
        for name, (file, render) in _TEXTS.items():
            if name in wanted:
                yield _written(out / file, render(document).encode("utf-8", "replace"))
        for picture in document.pictures:
            for name in _DRAWN:
                if name in wanted:
                    yield _written(out / picture.file(name), picture.data[name])
    except OSError as error:
        place = Location(str(error.filename or out))
        raise ReportError(Problem(f"cannot be written: {error.strerror}", place)) from None


def _written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
