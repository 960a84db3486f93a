"""The page of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmspec.errors import UserError
from mmspec.plugins.recorded import RecordedRun
from mmspec.report.formats.html_text import escape
from mmspec.report.site.arrays import array_parts
from mmspec.report.site.beside import sources_of
from mmspec.report.site.curves import curves_parts
from mmspec.report.site.frame import framed, section
from mmspec.report.site.provenance import failure_parts, graph_parts, log_parts, provenance_parts
from mmspec.report.site.results import result_parts, run_facts
from mmspec.report.site.site import Site
from mmspec.report.site.spec import spec_parts

#: Of more siblings, so many are listed.
_MOST = 40


def run_page(run: RecordedRun, site: Site) -> str:
    """Everything that is recorded of a run. A part that is damaged says so, and the others stand."""
    sections = [
        ("failure", "Failure", lambda: failure_parts(run)),
        ("results", "Results", lambda: result_parts(run)),
        ("curves", "Curves", lambda: curves_parts(run)),
        ("arrays", "Arrays", lambda: array_parts(run)),
        ("spec", "Spec", lambda: spec_parts(run, sources_of(run))),
        ("graph", "Training graph", lambda: graph_parts(run)),
        ("provenance", "Provenance", lambda: provenance_parts(run)),
        ("log", "Log", lambda: log_parts(run)),
        ("related", "Related runs", lambda: _related(run, site)),
    ]
    made = [(name, title, section(name, title, *_guarded(parts))) for name, title, parts in sections]
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, text in made if text)
    body = [
        f'<p class="over"><code>{escape(run.id)}</code></p>',
        f"<h1>{escape(run.label)}, <span>seed {run.seed}</span></h1>",
        *_guarded(lambda: [run_facts(run, site)]),
        _stale(run, site),
        f'<nav class="contents" aria-label="On this page"><ul>{links}</ul></nav>' if links else "",
        *(text for _, _, text in made),
    ]
    return framed(site.title, site.name(run), body, up="../")


def _stale(run: RecordedRun, site: Site) -> str:
    """That the run would come out anew today, why, and how to make it."""
    stale = site.document.comparison.stale.get(run.address)
    if stale is None:
        return ""
    anew = f" Make it anew: <code>{escape(stale.command)}</code>" if stale.command else ""
    return f'<p class="broken">Stale: {escape(stale.why)}.{anew}</p>'


def _guarded(parts: Callable[[], Sequence[str]]) -> Sequence[str]:
    """A part of the page, or why it cannot be shown; files are named without their folders."""
    try:
        return parts()
    except UserError as error:
        said = "; ".join(
            f"{problem.where.file.rpartition('/')[2]} {problem.what}" if problem.where else problem.what
            for problem in error.problems
        )
        return [f'<p class="broken">This part of the record cannot be shown: {escape(said)}.</p>']


def _related(run: RecordedRun, site: Site) -> list[str]:
    relatives = site.family.of(run)
    baseline = [relatives.baseline] if relatives.baseline else []
    others = [other for other in relatives.variants if other is not relatives.baseline]
    return [
        _listed("Baseline", baseline, run, site),
        _listed("The same with other seeds", relatives.seeds, run, site),
        _listed(f"Others with seed {run.seed}", others, run, site),
    ]


def _listed(title: str, others: Sequence[RecordedRun], run: RecordedRun, site: Site) -> str:
    """Links to the pages of other runs, and to what they and this one differ in."""
    items = "".join(_item(other, run, site) for other in others[:_MOST])
    if len(others) > _MOST:
        items += f'<li><a href="../index.html#runs">{len(others) - _MOST} more</a></li>'
    return f'<h3>{escape(title)}</h3><ul class="related">{items}</ul>' if items else ""


def _item(other: RecordedRun, run: RecordedRun, site: Site) -> str:
    name = escape(site.name(other))
    pair = f"../compare.html#a={site.names.of(other)}&amp;b={site.names.of(run)}"
    return (
        f'<li><a href="{escape(site.names.of(other))}.html">{name}</a> '
        f'<a class="compare" href="{pair}" aria-label="Compare with {name}">compare</a></li>'
    )
