"""From a report to the files of its site, one run at a time."""

from __future__ import annotations

from pathlib import Path

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.records import RunRecord
from mmspec.report.document import Document
from mmspec.report.formats.html_page import asset
from mmspec.report.site.compare import compare_page, run_data
from mmspec.report.site.folder import SiteFolder
from mmspec.report.site.overview import overview_page
from mmspec.report.site.run_page import run_page
from mmspec.report.site.site import plan_site

_SCRIPTS = ("compare.js", "runs.js")


@attrs.frozen
class WrittenSite:
    """What was done: `runs` have pages, of the site's `files` so many were new or changed, or removed."""

    start: Path
    runs: int
    files: int
    wrote: int
    removed: int


def write_site(document: Document, folder: Path) -> WrittenSite:
    """Write the site of a report into `folder`: what changed, and nothing of pages that are gone.

    Raises:
        ReportError: the folder holds other files, or cannot be written.
    """
    target = SiteFolder.open(folder)
    site = plan_site(document, folder)
    target.write("style.css", asset("page.css") + asset("site.css"))
    for name in _SCRIPTS:
        target.write(name, asset(name))
    target.write("index.html", overview_page(site))
    target.write("compare.html", compare_page(site))
    for run in site.runs:
        alone = _unread(run)
        target.write(site.names.page(run), run_page(alone, site))
        target.write(f"runs/{site.names.of(run)}.js", run_data(alone, site))
    target.close()
    return WrittenSite(folder / "index.html", len(site.runs), len(target.files), target.wrote, target.removed)


def _unread(run: RecordedRun) -> RecordedRun:
    """The run before anything of its directory was read: what its page reads goes with it."""
    return attrs.evolve(run) if isinstance(run, RunRecord) else run
