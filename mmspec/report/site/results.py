"""What a run is and what came out of it: facts, and the final metrics by split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.definition import shown
from mmspec.report.formats.html_text import escape
from mmspec.report.site.beside import home_of, progress_of
from mmspec.report.site.frame import code, duration, facts, lead, moment, number, table
from mmspec.report.site.site import Site

_SIGNS = {"finished": "✓", "running": "…", "failed": "✗", "unfinished": "–"}


def status_badge(run: RecordedRun) -> str:
    """The status in a word, with a sign of its own."""
    sign = f'<span aria-hidden="true">{_SIGNS[run.status]}</span>'
    return f'<span class="status {run.status}">{sign} {run.status}</span>'


def run_facts(run: RecordedRun, site: Site) -> str:
    """The facts that stand first on a run's page."""
    provenance = run.provenance
    git = provenance.get("git")
    pairs = [
        ("status", status_badge(run) + escape(f" {progress_of(run)}".rstrip())),
        ("experiment", escape(run.experiment)),
        *((str(name), escape(shown(value))) for name, value in run.labels.items()),
        ("seed", str(run.seed)),
        ("in the report", escape(site.part_of(run))),
        ("started", moment(provenance.get("started") or provenance.get("created"))),
        ("took", duration(run.seconds) if run.seconds is not None else ""),
        ("device", escape(str(provenance.get("device") or ""))),
        ("commit", _commit(git) if isinstance(git, Mapping) else ""),
        ("recorded", _home(run, site)),
    ]
    return facts(pairs)


def _commit(git: Mapping[str, object]) -> str:
    dirty = ", with changes" if git.get("dirty") else ""
    return code(str(git.get("commit", ""))[:10]) + dirty


def _home(run: RecordedRun, site: Site) -> str:
    href = home_of(run, site.folder)
    if href is None:
        return code(run.address if "://" in run.address else f"{run.experiment}/{run.id}")
    if href.startswith("http"):
        return f'<a href="{escape(href)}" rel="noopener noreferrer">page of the run</a>'
    what = "run directory" if href.endswith("/") else "recorded file"
    return f'<a href="{escape(href)}">{what}</a>'


def result_parts(run: RecordedRun) -> list[str]:
    """The final metrics: one row for each, its splits beside each other; and the stages of a chain."""
    if not run.values:
        return []
    splits = list(dict.fromkeys(name.partition("/")[0] for name in run.values))
    metrics = list(dict.fromkeys(name.partition("/")[2] for name in run.values))
    rows = [_metric(metric, splits, run.values) for metric in metrics]
    caption = "Final metrics by split"
    return [
        _selected(run),
        table(caption, ["metric", *splits], rows, classes="runs digits quiet"),
        _stages(run),
    ]


def _metric(metric: str, splits: list[str], values: Mapping[str, float]) -> str:
    cells = "".join(f"<td>{_value(values.get(f'{split}/{metric}'))}</td>" for split in splits)
    return f'<tr><th scope="row"><code>{escape(metric)}</code></th>{cells}</tr>'


def _value(value: float | None) -> str:
    return "" if value is None else f'<data value="{value!r}">{number(value)}</data>'


def _selected(run: RecordedRun) -> str:
    """Which checkpoint the numbers are of."""
    last = list(run.stages.values())[-1] if run.stages else {}
    chosen = last.get("selected")
    if not isinstance(chosen, Mapping) or chosen.get("epoch") is None:
        return ""
    value = chosen.get("value")
    measured = f" = {number(value)}" if isinstance(value, int | float) else ""
    epoch = escape(str(chosen["epoch"]))
    return lead(f"At the selected checkpoint: epoch {epoch}, {code(chosen.get('metric'))}{measured}.")


def _stages(run: RecordedRun) -> str:
    """The stages of a chain; nothing for a single one."""
    if len(run.stages) < 2:
        return ""
    return table("Stages", ["stage", "epochs", "steps", "selected"], _stage_rows(run), classes="runs digits")


def _stage_rows(run: RecordedRun) -> Iterator[str]:
    for name, stage in run.stages.items():
        chosen = stage.get("selected")
        epoch = f"epoch {chosen['epoch']}" if isinstance(chosen, Mapping) and "epoch" in chosen else ""
        yield (
            f'<tr><th scope="row">{escape(name)}</th><td>{stage.get("epochs", "")}</td>'
            f"<td>{stage.get('steps', '')}</td><td>{escape(epoch)}</td></tr>"
        )
