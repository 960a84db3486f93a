"""Publishing a report to W&B: always as a run of the job type `report`, and as a W&B Report where that goes.

The run has a table for each table, the pictures, and the report's files as an artifact. The W&B Report shows
the same as a page, with the pictures from the run; it needs the package `wandb-workspaces`, and an account
that may write reports. One that mmspec made earlier, under the same title, is replaced.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import tempfile
import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from mmspec.errors import Problem, RecordError
from mmspec.track.guard import reason
from mmspec.track.optional import install, missing_package
from mmspec.track.wandb.folders import everything_under
from mmspec.track.wandb.names import LONGEST_NAME
from mmspec.track.wandb.service import few_retries
from mmspec.track.wandb.session import restart_service
from mmspec.track.wandb.tracker import run_settings, way_online

if TYPE_CHECKING:
    import wandb

#: Seconds that W&B gets to take the run's files, and then the W&B Report.
FINISH_TIMEOUT, REPORT_TIMEOUT = 120.0, 60.0
#: By this a W&B Report is known for one of ours, which the next one of its title replaces.
MARK = "Made by mmspec report"
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@attrs.frozen
class TextPart:
    """Words, tables and notes, in Markdown."""

    markdown: str
    title: str | None = None


@attrs.frozen
class TablePart:
    """A table as it is shown: heads and cells are texts. `markdown` is the table with its notes."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    markdown: str


@attrs.frozen
class PicturePart:
    """A picture as PNG; `markdown` is what stands under it."""

    title: str
    png: bytes
    markdown: str


Part = TextPart | TablePart | PicturePart


@attrs.frozen
class Page:
    """A report as W&B gets it; `files` are those of the artifact, by their names in it."""

    title: str
    description: str
    parts: Sequence[Part]
    files: Mapping[str, Path]

    @property
    def name(self) -> str:
        """The title as W&B takes it for the names of things."""
        return _NOT_IN_NAME.sub("-", self.title).strip("-")[: LONGEST_NAME - 16] or "report"


@attrs.frozen
class Target:
    """A project in W&B; without an entity, that of the account."""

    project: str
    entity: str | None = None

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}" if self.entity else self.project


def publish(
    target: Target,
    run_ids: Collection[str],
    make_page: Callable[[Mapping[str, str]], Page],
    *,
    say: Callable[[str], None],
) -> str:
    """Publish a page, and give the address of what a reader should open.

    `make_page` is told the addresses of those of `run_ids` that are in the project. `say` tells the user what
    did not go as asked.

    Raises:
        RecordError: nothing is published, and why.
    """
    scratch = tempfile.TemporaryDirectory(prefix="mmspec-wandb-")
    with scratch as name, everything_under(Path(name)), _stopping():
        import wandb

        settings = wandb.setup().settings
        key, obstacle = way_online(settings, probe=True)
        if obstacle:
            raise RecordError(Problem(f"the report cannot be published: {obstacle}"))
        with few_retries(settings):
            page, run = _log_run(target, run_ids, make_page, Path(name), key)
            try:
                return _in_time(lambda: _write_report(page, run))
            except Exception as error:  # noqa: BLE001 - the run has it all
                what = str(error) if isinstance(error, _NoReportError) else reason(error)
                say(f"W&B: no report was made there ({what}); its tables and page are in a run")
                return str(run.url)


class _NoReportError(Exception):
    """Why there is no W&B Report, in our words."""


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Let W&B's process go at the end: the folder that it writes to goes too."""
    try:
        yield
    finally:
        restart_service()


def _log_run(
    target: Target,
    run_ids: Collection[str],
    make_page: Callable[[Mapping[str, str]], Page],
    folder: Path,
    key: Mapping[str, str],
) -> tuple[Page, wandb.Run]:
    """The page, and the run that holds it, which has ended.

    Raises:
        RecordError: W&B does not take it.
    """
    import wandb

    try:
        settings = run_settings(folder, mode="online", finish_timeout=FINISH_TIMEOUT, **key)
        run = wandb.init(project=target.project, entity=target.entity, job_type="report", settings=settings)
        try:
            page = make_page(_addresses(run, run_ids))
            _fill(run, page)
        except BaseException:
            with contextlib.suppress(Exception):
                run.finish(exit_code=1)
            raise
        run.finish()
    except Exception as error:  # noqa: BLE001 - the client raises all sorts of them
        what = f"the report cannot be published to {target} in W&B: {reason(error)}"
        hint = "is the project's name right, and may you write there?"
        raise RecordError(Problem(what, hint=hint)) from None
    return page, run


def _fill(run: wandb.Run, page: Page) -> None:
    """Give the run the page's name, its tables and pictures, and its files."""
    import wandb

    run.name = page.title[:LONGEST_NAME]
    run.log(_logged(page))
    artifact = wandb.Artifact(page.name, type="report")
    for name, path in page.files.items():
        artifact.add_file(str(path), name=name)
    run.log_artifact(artifact)


def _addresses(run: wandb.Run, run_ids: Collection[str]) -> dict[str, str]:
    """The pages of the runs that the project has, by their ids."""
    import wandb

    path = f"{run.entity}/{run.project}"
    try:
        found = wandb.Api().runs(path, filters={"name": {"$in": sorted(run_ids)}}, per_page=200, lazy=True)
        return {each.id: each.url for each in found}
    except Exception:  # noqa: BLE001 - a report without links is a report
        return {}


def _logged(page: Page) -> dict[str, Any]:
    """Tables and pictures by names that sort as they stand in the report."""
    import wandb
    from PIL import Image

    logged: dict[str, Any] = {}
    for part, key in _keys(page):
        if isinstance(part, TablePart):
            logged[key] = wandb.Table(columns=list(part.heads), data=[list(row) for row in part.rows])
        elif isinstance(part, PicturePart):
            logged[key] = wandb.Image(Image.open(io.BytesIO(part.png)), caption=part.title)
    return logged


def _keys(page: Page) -> Iterator[tuple[Part, str]]:
    """Each part with the key under which it is logged."""
    for number, part in enumerate(page.parts, 1):
        name = _NOT_IN_NAME.sub("-", part.title or "").strip("-")
        yield part, f"{number:02d}-{name}".rstrip("-")[:LONGEST_NAME]


def _write_report(page: Page, run: wandb.Run) -> str:
    """Write the W&B Report, in the place of an earlier one of ours; its address."""
    if missing_package("wandb_workspaces", "wandb-reports"):
        raise _NoReportError(f"the package wandb-workspaces is not installed; {install('wandb-reports')}")
    import wandb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own use of pydantic
        reports = importlib.import_module("wandb_workspaces.reports.v2")
    title = page.title[:LONGEST_NAME]
    report = reports.Report(
        entity=run.entity,
        project=run.project,
        title=title,
        description=f"{page.description}\n\n{MARK}".strip(),
        blocks=[block for part, key in _keys(page) for block in _blocks(part, key, run, reports)],
        width="fluid",
    )
    for earlier in wandb.Api().reports(f"{run.entity}/{run.project}"):
        if earlier.display_name == title and (earlier.description or "").endswith(MARK):
            report.id = earlier.id
            break
    return str(report.save().url)


def _blocks(part: Part, key: str, run: wandb.Run, reports: Any) -> list[Any]:
    blocks = [reports.H2(part.title)] if part.title else []
    if isinstance(part, PicturePart):
        expr = importlib.import_module("wandb_workspaces.expr")
        only = expr.And(expr.Metric("ID") == run.id)
        runs = reports.Runset(entity=run.entity, project=run.project, filters=only)
        panel = reports.MediaBrowser(media_keys=[key], num_columns=1, layout=reports.Layout(w=24, h=12))
        blocks.append(reports.PanelGrid(runsets=[runs], panels=[panel], hide_run_sets=True))
    if part.markdown:
        blocks.append(reports.MarkdownBlock(part.markdown))
    return blocks


def _in_time(act: Callable[[], str]) -> str:
    """What `act` gives, if it does so within `REPORT_TIMEOUT` seconds."""
    given: list[str] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            given.append(act())
        except Exception as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(REPORT_TIMEOUT)
    if failed:
        raise failed[0]
    if not given:
        raise _NoReportError(f"no answer within {REPORT_TIMEOUT:.0f} s")
    return given[0]
