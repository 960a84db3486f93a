"""A report in W&B: `--to wandb`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mmspec.errors import Problem, ReportError
from mmspec.plugins.recorded import RecordedRun
from mmspec.report.document import Block, Document, Gridded, Picture, Words
from mmspec.report.formats import markdown
from mmspec.report.grid import Grid, GridCell
from mmspec.spec.words import listed, show
from mmspec.track.wandb.address import parse_address
from mmspec.track.wandb.names import wandb_id
from mmspec.track.wandb.publish import Page, Part, PicturePart, TablePart, Target, TextPart, publish

FORM = "--to wandb://entity/project, or --to wandb for the project of the runs"


def parse_target(text: str) -> Target | None:
    """The project that `--to` names; None where it leaves that to the runs.

    Raises:
        UserError: it names none.
    """
    if text == "wandb":
        return None
    if not text.startswith("wandb://"):
        raise ReportError(f"reports cannot be published to {show(text)}", hint=FORM)
    address = parse_address(text.removeprefix("wandb:"))
    if address.query:
        raise ReportError(f"{show(text)} has filters, which mean nothing here", hint=FORM)
    return Target(address.project, address.entity)


def to_wandb(
    document: Document, files: Sequence[Path], target: Target | None, say: Callable[[str], None]
) -> str:
    """Publish a report whose files are written; the address of what a reader should open.

    Raises:
        UserError: it is not clear where to, or W&B does not take it.
    """
    target = target or _target_of(document)
    runs = {wandb_id(run.id): run.id for _, run in document.used}

    def make_page(found: Mapping[str, str]) -> Page:
        pages = {runs[name]: address for name, address in found.items() if name in runs}
        return as_page(document, files, pages)

    return publish(target, runs, make_page, say=say)


def _target_of(document: Document) -> Target:
    """The one project that the report's runs are from, or that their specs mirror them to."""
    read = [entry for entry in document.definition.runs if entry.startswith("wandb://")]
    addresses = [parse_address(entry.removeprefix("wandb:")) for entry in read]
    targets = {Target(address.project, address.entity) for address in addresses}
    targets = targets or {each for _, run in document.used for each in _mirrors(run)}
    if len(targets) == 1:
        return targets.pop()
    what = "it is not clear which W&B project the report goes to"
    if targets:
        what += f": its runs are in {listed(sorted(map(str, targets)))}"
    raise ReportError(Problem(what, hint="--to wandb://entity/project"))


def _mirrors(run: RecordedRun) -> Iterable[Target]:
    """The W&B projects to which the run's spec mirrors it."""
    for table in run.spec.get("track") or ():
        if table.get("use") == "wandb":
            yield Target(table.get("project") or run.experiment, table.get("entity"))


def as_page(document: Document, files: Sequence[Path], pages: Mapping[str, str]) -> Page:
    """The report as W&B takes it; `pages` are the addresses there of runs, by their ids."""
    introduction = [TextPart("\n\n".join(map(markdown.escape, document.paragraphs)))]
    notes = "\n".join(f"- {markdown.sentence(note)}" for note in document.notes)
    return Page(
        title=document.definition.title,
        description="",
        parts=[
            *(introduction if document.paragraphs else ()),
            *map(_part, document.blocks),
            TextPart(f"{notes}\n\n{_runs(document.used, pages)}".strip(), "Runs"),
        ],
        files={path.relative_to(document.folder).as_posix(): path for path in files},
    )


def _part(block: Block) -> Part:
    if isinstance(block, Words):
        return TextPart("\n\n".join(map(markdown.escape, block.paragraphs)), block.title)
    if isinstance(block, Picture):
        words = [markdown.escape(block.text), *(f"- {markdown.sentence(note)}" for note in block.notes)]
        return PicturePart(block.title, block.data["png"], "\n\n".join(filter(None, words)))
    return _table(block)


def _table(block: Gridded) -> TablePart:
    grid = block.grid
    _, *parts = markdown.block_parts(block)
    return TablePart(
        grid.title,
        heads=[grid.corner or "row", *_heads(grid)],
        rows=[[row.label, *map(_text, row.cells)] for row in grid.rows],
        markdown="\n\n".join(part for part in parts if part),
    )


def _heads(grid: Grid) -> list[str]:
    """The heads of the columns, with those above them; no two alike, as W&B wants it."""
    heads = [" / ".join(filter(None, (*column.groups, column.label))) for column in grid.columns]
    return [
        f"{head} ({heads[: index + 1].count(head)})" if heads.count(head) > 1 else head
        for index, head in enumerate(heads)
    ]


def _text(cell: GridCell) -> str:
    remark = f" ({cell.remark})" if cell.remark else ""
    return f"{cell.text} {cell.spread}".rstrip() + cell.sign + remark


def _runs(used: Sequence[tuple[str, RecordedRun]], pages: Mapping[str, str]) -> str:
    """Which runs stand behind each row; those that W&B has are linked."""
    lines = ["| row | seed | run | spec |", "| --- | ---: | --- | --- |"]
    for label, run in used:
        name = markdown.escape(run.id)
        linked = f"[{name}]({pages[run.id]})" if run.id in pages else name
        spec = markdown.escape(str(run.identity["spec_hash"])[:8])
        lines.append(f"| {markdown.escape(label)} | {run.seed} | {linked} | {spec} |")
    return "\n".join(lines) if used else ""
