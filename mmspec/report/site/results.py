"""What a run is and what came out of it: facts, and the final metrics by split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mmspec.graph.stages import stage_graph
from mmspec.plugins.recorded import RecordedRun, kind_of_stage
from mmspec.report.definition import shown
from mmspec.report.formats.html_text import escape
from mmspec.report.site.beside import home_of, progress_of
from mmspec.report.site.frame import code, duration, facts, folded, lead, moment, number, table
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
    """What analyses give; the final metrics of each stage, one row for each, its splits beside each other."""
    if not run.values:
        return []
    by_stage: dict[str, _Values] = {}
    for name, value in run.values.items():
        place = run.place_of(name)
        by_stage.setdefault(place.stage, {}).setdefault(place.name, {})[place.split] = value
    analysed = {name: values for name, values in by_stage.items() if _is_analysis(run, name)}
    measured = {name: values for name, values in by_stage.items() if name not in analysed}
    main = str(run.main_stage["name"])
    others = [name for name in measured if name != main]
    return [
        _analyses(analysed),
        _selected(run),
        _metrics("Final metrics by split", measured.get(main, {})),
        *(
            folded(f"Metrics of stage {name}", _metrics(f"Of stage {name}", measured[name]))
            for name in others
        ),
        _stages(run),
    ]


#: The values of a stage: {metric: {split: value}}; the split is None in an analysis.
_Values = dict[str, dict[str | None, float]]


def _is_analysis(run: RecordedRun, stage: str) -> bool:
    spec = run.stage_spec(stage)
    return spec is not None and kind_of_stage(spec) == "analyses"


def _analyses(analysed: Mapping[str, _Values]) -> str:
    """What analyses give, by the names that reports call it."""
    rows = (
        f'<tr><th scope="row"><code>{escape(f"{stage}/{name}")}</code></th><td>{_value(value)}</td></tr>'
        for stage, values in analysed.items()
        for name, of in values.items()
        for value in of.values()
    )
    return table("What analyses give", ["name", "value"], rows, classes="runs digits quiet")


def _metrics(caption: str, values: _Values) -> str:
    splits = list(dict.fromkeys(split for of in values.values() for split in of))
    rows = (
        f'<tr><th scope="row"><code>{escape(metric)}</code></th>'
        f"{''.join(f'<td>{_value(of.get(split))}</td>' for split in splits)}</tr>"
        for metric, of in values.items()
    )
    return table(caption, ["metric", *map(str, splits)], rows, classes="runs digits quiet")


def _value(value: float | None) -> str:
    return "" if value is None else f'<data value="{value!r}">{number(value)}</data>'


def _selected(run: RecordedRun) -> str:
    """Which checkpoint the numbers are of."""
    chosen = run.stages.get(str(run.main_stage["name"]), {}).get("selected")
    if not isinstance(chosen, Mapping) or chosen.get("epoch") is None:
        return ""
    value = chosen.get("value")
    measured = f" = {number(value)}" if isinstance(value, int | float) else ""
    metric = f", {code(chosen['metric'])}{measured}" if chosen.get("metric") else ""
    of = f"Stage {escape(str(run.main_stage['name']))}, at" if len(run.stages) > 1 else "At"
    return lead(f"{of} the selected checkpoint: epoch {escape(str(chosen['epoch']))}{metric}.")


def _stages(run: RecordedRun) -> str:
    """The stages of a chain; nothing for a single one."""
    if len(run.stages) < 2:
        return ""
    heads = ["stage", "what it does", "epochs", "steps", "selected"]
    return table("Stages", heads, _stage_rows(run))


def _stage_rows(run: RecordedRun) -> Iterator[str]:
    """What each stage does, and how long it has trained, if it does."""
    for node in stage_graph(run.spec["stages"]):
        stage = run.stages.get(node.name, {})
        chosen = stage.get("selected")
        epoch = f"epoch {chosen['epoch']}" if isinstance(chosen, Mapping) and chosen.get("epoch") else ""
        took = (stage.get("epochs", ""), stage.get("steps", "")) if node.kind == "trains" else ("—", "—")
        yield (
            f'<tr><th scope="row">{escape(node.name)}</th><td>{escape(node.does)}</td><td>{took[0]}</td>'
            f"<td>{took[1]}</td><td>{escape(epoch)}</td></tr>"
        )
