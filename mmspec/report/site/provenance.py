"""Where a run's numbers come from: command, code, packages, machine and data; its graph, log and failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmspec.graph.stages import as_svg, stage_graph
from mmspec.plugins.recorded import RecordedRun
from mmspec.report.formats.html_page import scrollable
from mmspec.report.formats.html_text import escape
from mmspec.report.formats.svg import inline_svg
from mmspec.report.site.beside import failure_of, graphs_of, log_of, pictures_of
from mmspec.report.site.frame import block_of, code, facts, folded, moment, table

#: What of a recorded provenance stands in a page. The machine's name does not: sites are published.
_MACHINE = ("device", "platform", "cpus", "threads", "python")


def provenance_parts(run: RecordedRun) -> list[str]:
    """How the run was made, as it was recorded."""
    provenance, identity = run.provenance, run.identity
    git = provenance.get("git")
    git = git if isinstance(git, Mapping) else {}
    resumed = provenance.get("resumed")
    pairs = [
        ("command", code(provenance.get("command"))),
        ("created", moment(provenance.get("created"))),
        ("started", moment(provenance.get("started"))),
        ("resumed", _resumed(resumed) if isinstance(resumed, list) else ""),
        ("commit", code(git.get("commit")) + (", with changes" if git.get("dirty") else "")),
        ("spec hash", code(str(identity.get("spec_hash", ""))[:16])),
        *((name, escape(str(provenance.get(name) or ""))) for name in _MACHINE),
    ]
    return [facts(pairs), _changes(git), _packages(provenance), _code(identity), _data(identity)]


def _resumed(times: list[Any]) -> str:
    return ", ".join(moment(time.get("started")) for time in times if isinstance(time, Mapping))


def _changes(git: Mapping[str, Any]) -> str:
    """Files that were changed when the run began, and their differences."""
    changed = git.get("changed")
    files = "\n".join(map(str, changed)) if isinstance(changed, list) else ""
    diff = str(git.get("diff") or "")
    cut = "<p>The rest was too long to record.</p>" if git.get("diff_cut") else ""
    return folded(
        "Changes that were not committed",
        block_of(files, "Changed files") + block_of(diff, "Differences to the commit") + cut,
    )


def _packages(provenance: Mapping[str, Any]) -> str:
    packages = provenance.get("packages")
    rows = _pairs(packages) if isinstance(packages, Mapping) else ()
    return folded("Packages", table("Versions of packages", ["package", "version"], rows))


def _code(identity: Mapping[str, Any]) -> str:
    return folded(
        "Code", table("Code that made the numbers", ["part", "version", "source hash"], _origins(identity))
    )


def _origins(identity: Mapping[str, Any]) -> Iterator[str]:
    parts = identity.get("code")
    for name, origin in parts.items() if isinstance(parts, Mapping) else ():
        if isinstance(origin, Mapping):
            package = f"{origin.get('distribution') or ''} {origin.get('version') or ''}".strip()
            digest = str(origin.get("source_hash") or "")
            yield (
                f'<tr><th scope="row"><code>{escape(str(name))}</code></th><td>{escape(package)}</td>'
                f'<td><code title="{escape(digest)}">{escape(digest[:16])}</code></td></tr>'
            )


def _data(identity: Mapping[str, Any]) -> str:
    data = identity.get("data")
    rows = _pairs(data) if isinstance(data, Mapping) else ()
    return folded("Data", table("Fingerprints of data", ["stage", "fingerprint"], rows))


def _pairs(table_: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table_.items():
        yield f'<tr><th scope="row">{escape(str(name))}</th><td><code>{escape(str(value))}</code></td></tr>'


# ---------------------------------------------------------------- beside the numbers


def graph_parts(run: RecordedRun) -> list[str]:
    """The stages, where there are several, and what was built in each: drawn, and as a list."""
    graphs = graphs_of(run)
    parts = _stages(run)
    for index, (stage, svg) in enumerate(pictures_of(run)):
        drawing = inline_svg(svg, f"Training graph of stage {stage}", f"graph{index}")
        if drawing:
            box = scrollable(f"Training graph of stage {stage}, drawn", drawing)
            parts.append(f'<div class="graph">{box}</div>')
        parts.append(folded(f"Graph of stage {stage} as a list", _nodes(graphs.get(stage))))
    return parts


def _stages(run: RecordedRun) -> list[str]:
    """The graph of the stages; nothing for a single one."""
    if len(run.spec["stages"]) < 2:
        return []
    nodes = stage_graph(run.spec["stages"])
    drawing = inline_svg(as_svg(nodes), "Stages of the run", "stages")
    rows = (
        f'<tr><th scope="row"><code>{escape(node.name)}</code></th><td>{escape(node.does)}</td>'
        f"<td>{'<br>'.join(escape(each.words) for each in node.inputs)}</td></tr>"
        for node in nodes
    )
    listed = table("Stages and what they take of earlier ones", ["stage", "what it does", "takes"], rows)
    return [
        f'<div class="graph">{scrollable("Stages of the run, drawn", drawing)}</div>',
        folded("Stages as a list", listed),
    ]


def _nodes(graph: object) -> str:
    """The nodes in the order in which they run, each with what flows in."""
    if not isinstance(graph, Mapping):
        return ""
    incoming: dict[str, list[str]] = {}
    for edge in graph.get("edges", ()):
        shape = "×".join(map(str, edge.get("shape", ()))) or "scalar"
        incoming.setdefault(str(edge.get("target")), []).append(f"{edge.get('source')} [{shape}]")
    rows = (
        f'<tr><th scope="row"><code>{escape(str(node.get("id")))}</code></th>'
        f"<td>{escape(str(node.get('plugin') or node.get('kind') or ''))}</td>"
        f"<td>{escape(', '.join(incoming.get(str(node.get('id')), ())))}</td></tr>"
        for node in graph.get("nodes", ())
    )
    return table("Nodes of the training graph", ["node", "plugin", "takes in"], rows)


def log_parts(run: RecordedRun) -> list[str]:
    """The log, folded."""
    lines, left_out = log_of(run)
    title = f"Log, {len(lines) - bool(left_out):,} lines"
    if left_out:
        title += f" of {len(lines) - 1 + left_out:,}: the first and the last"
    return [folded(title, block_of("\n".join(lines), "Log of the run"))]


def failure_parts(run: RecordedRun) -> list[str]:
    """Why the run failed, if it did."""
    failure = failure_of(run)
    if not failure:
        return []
    kind, error = str(failure.get("kind") or "Error"), str(failure["error"])
    said = f"<p><strong>{escape(kind)}:</strong> {escape(error)}</p>"
    return [said, folded("Traceback", block_of(str(failure.get("traceback") or ""), "Traceback"))]
