"""Two runs side by side: the page, which a script fills, and the data of each run that the script reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from mmspec.errors import UserError
from mmspec.plugins.recorded import RecordedRun
from mmspec.report.formats.html_text import escape
from mmspec.report.site.frame import framed
from mmspec.report.site.site import Site
from mmspec.report.site.spec import flat_spec
from mmspec.report.text import one_line


def run_data(run: RecordedRun, site: Site) -> str:
    """What the comparison reads of a run: a script that hands over plain values."""
    data = {
        "name": one_line(site.name(run)),
        "id": one_line(run.id),
        "part": one_line(site.part_of(run)),
        "status": run.status,
        "spec": flat_spec(run),
        "made": dict(_made(run)),
        "values": {name: value if math.isfinite(value) else str(value) for name, value in run.values.items()},
    }
    return f"mmspecRun({as_script(site.names.of(run))}, {as_script(data)});\n"


def as_script(value: Any) -> str:
    """Plain values as an expression of JavaScript, harmless wherever a script may stand: ASCII without <."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _made(run: RecordedRun) -> Iterator[tuple[str, str]]:
    """Code, data, packages and machine: what can make two runs of one spec differ."""
    code = run.identity.get("code")
    for name, origin in code.items() if isinstance(code, Mapping) else ():
        if isinstance(origin, Mapping):
            said = f"{origin.get('version') or ''} {str(origin.get('source_hash') or '')[:12]}"
            yield f"code: {name}", said.strip()
    data = run.identity.get("data")
    for name, fingerprint in data.items() if isinstance(data, Mapping) else ():
        yield f"data: {name}", str(fingerprint)
    try:
        provenance = run.provenance
    except UserError:
        return  # the run's page tells
    packages = provenance.get("packages")
    for name, version in packages.items() if isinstance(packages, Mapping) else ():
        yield f"package: {name}", str(version)
    git = provenance.get("git")
    if isinstance(git, Mapping):
        yield "commit", f"{git.get('commit', '')}{' with changes' if git.get('dirty') else ''}"
    for name in ("python", "device", "threads"):
        if provenance.get(name) is not None:
            yield name, str(provenance[name])


def compare_page(site: Site) -> str:
    """The page; it says what to do where no script may run."""
    options = "".join(_groups(site))
    body = [
        "<h1>Compare two runs</h1>",
        '<noscript><p class="broken">A comparison needs JavaScript. Without it, the '
        '<a href="index.html#runs">page of each run</a> shows its spec, results and provenance, and links '
        "to its siblings.</p></noscript>",
        '<form id="choice" class="choice" hidden>',
        f'<p><label for="a">First run</label><select id="a">{options}</select></p>',
        f'<p><label for="b">Second run</label><select id="b">{options}</select></p>',
        '<p><button type="button" id="swap">Swap</button></p>',
        "</form>",
        '<p id="said" class="lead" role="status"></p>',
        '<div id="result"></div>',
    ]
    title = "Compare two runs"
    return framed(site.title, title, body, here="compare.html", scripts=["compare.js"])


def _groups(site: Site) -> Iterator[str]:
    """The runs to choose from, by their row."""
    for part, runs in groupby(site.runs, key=site.part_of):
        options = "".join(
            f'<option value="{escape(site.names.of(run))}">{escape(site.name(run))}</option>' for run in runs
        )
        yield f'<optgroup label="{escape(part)}">{options}</optgroup>'
