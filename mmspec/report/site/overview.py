"""The first page of a site: the report itself, the runs that entered and those that did not, and notes."""

from __future__ import annotations

from collections.abc import Sequence

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.definition import Column
from mmspec.report.document import Picture, Words
from mmspec.report.formats.html import blocks, opening
from mmspec.report.formats.html_text import escape, notes_list
from mmspec.report.runs.notes import WHY
from mmspec.report.runs.selection import created
from mmspec.report.site.frame import duration, framed, lead, section, table
from mmspec.report.site.results import status_badge
from mmspec.report.site.site import Site
from mmspec.report.text import minus

#: So many metrics of the report's tables stand in the list of runs.
_METRICS = 3
_LIST = "runs sortable quiet"


def overview_page(site: Site) -> str:
    """The page."""
    document = site.document
    several = len(document.blocks) > 2
    body = [
        *opening(document),
        f'<nav class="contents" aria-label="On this page"><ul>{_contents(site)}</ul></nav>'
        if several
        else "",
        *_named_blocks(site),
        section("runs", "Runs", _runs(site)),
        section("left-out", "Left out", _left_out(site)),
        section("notes", "Notes", notes_list(document.notes)),
    ]
    return framed(site.title, site.title, body, here="index.html", scripts=["runs.js"])


def _named_blocks(site: Site) -> list[str]:
    """The blocks of the report, each with a name to link to."""
    made = blocks(site.document, site.names.page)
    return [f'<div class="block" id="block{index}">{text}</div>' for index, text in enumerate(made)]


def _contents(site: Site) -> str:
    links = [(f"block{index}", _title(block)) for index, block in enumerate(site.document.blocks)]
    links += [("runs", "Runs")] if site.document.selection.runs else []
    links += [("left-out", "Left out")] if site.document.selection.left_out else []
    links += [("notes", "Notes")] if site.document.notes else []
    return "".join(f'<li><a href="#{name}">{escape(title)}</a></li>' for name, title in links if title)


def _title(block: object) -> str:
    if isinstance(block, Picture | Words):
        return block.title or ""
    return str(getattr(getattr(block, "grid", None), "title", ""))


# ---------------------------------------------------------------- lists of runs


def _runs(site: Site) -> str:
    """Every run that entered, with the first metrics that the report's tables show."""
    left_out = site.reasons
    runs = [run for run in site.runs if run.address not in left_out]
    columns = _columns(site)
    several = len({run.experiment for run in runs}) > 1
    heads = ["run", *(["experiment"] if several else []), "row", "seed"]
    numbers = ["seed", *map(_head, columns), "took", "made"]
    heads += numbers[1:]
    rows = (_row(run, site, columns, several) for run in runs)
    listed = table("Runs of this report", heads, rows, classes=_LIST, name="list", numbers=numbers)
    return lead(f"{len(runs)} runs; each leads to its page.") + listed if runs else ""


def _columns(site: Site) -> list[Column]:
    """The columns of the report's tables, each metric once."""
    every = [column for wanted in site.document.definition.tables for column in wanted.columns]
    return list({column.value: column for column in every}.values())[:_METRICS]


def _head(column: Column) -> str:
    return column.value + (" (%)" if column.unit == "percent" else "")


def _row(run: RecordedRun, site: Site, columns: Sequence[Column], several: bool) -> str:
    cells = [_link(run, site)]
    cells += [f"<td>{escape(run.experiment)}</td>"] if several else []
    cells += [f"<td>{escape(site.rows.get(run.address, '–'))}</td>", f'<td class="digits">{run.seed}</td>']
    cells += [_value(run, column) for column in columns]
    seconds = run.seconds
    cells += [_sorted(seconds, duration(seconds) if seconds is not None else "–")]
    cells += [f'<td class="digits">{escape(created(run)[0][:10] or "–")}</td>']
    return f"<tr>{''.join(cells)}</tr>"


def _link(run: RecordedRun, site: Site) -> str:
    return (
        f'<th scope="row"><a href="{escape(site.names.page(run))}">{escape(run.label)}</a> '
        f"<small><code>{escape(run.id)}</code></small></th>"
    )


def _value(run: RecordedRun, column: Column) -> str:
    value = run.values.get(column.value)
    if not isinstance(value, int | float):
        return _sorted(None, "–")
    return _sorted(value, minus(f"{value * column.factor:.{column.decimals}f}"))


def _sorted(value: float | None, shown: str) -> str:
    """A cell that sorts by a number."""
    key = "" if value is None else f' data-sort="{value!r}"'
    return f'<td class="digits"{key}>{shown}</td>'


def _left_out(site: Site) -> str:
    left_out = site.document.selection.left_out
    rows = (_left_row(left.run, WHY[left.reason], site) for left in left_out)
    return table(
        "Runs that do not enter, and why",
        ["run", "seed", "status", "why"],
        rows,
        classes=_LIST,
    )


def _left_row(run: RecordedRun, why: str, site: Site) -> str:
    return (
        f'<tr>{_link(run, site)}<td class="digits">{run.seed}</td><td>{status_badge(run)}</td>'
        f"<td>{escape(why)}</td></tr>"
    )
