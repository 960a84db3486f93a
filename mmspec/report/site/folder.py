"""The folder of a site: written where something changed, and cleared of pages that are no longer ours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs

from mmspec.errors import Location, Problem, RecordError, ReportError
from mmspec.records.files import read_json
from mmspec.system import write_whole

#: Says that a folder is a site of ours, and what we wrote into it.
MARKER = ".mmspec-site.json"
#: What a site holds; nothing else is ever removed, whatever the marker says.
_OURS = re.compile(r"(runs/)?[A-Za-z0-9_-][A-Za-z0-9._-]*\.(html|js|css)")


@attrs.define
class SiteFolder:
    """A site being written. `wrote` counts files that are new or changed."""

    path: Path
    before: frozenset[str]
    files: set[str] = attrs.field(factory=set)
    wrote: int = 0
    removed: int = 0

    @classmethod
    def open(cls, path: Path) -> SiteFolder:
        """Open a folder for a site: one that is not there, is empty, or holds a site already.

        Raises:
            ReportError: it holds something else, or cannot be had.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            is_empty = not any(path.iterdir())
        except OSError as error:
            raise _cannot(path, error) from None
        try:
            files = read_json(path / MARKER).get("files") if not is_empty else []
        except RecordError:
            files = None
        if not isinstance(files, list):
            what = "holds other files; a site needs a folder of its own"
            raise ReportError(Problem(what, Location(str(path)), "give an empty folder, or a new one"))
        folder = cls(path, frozenset(name for name in files if isinstance(name, str)))
        folder._mark(folder.before)
        return folder

    def write(self, name: str, text: str) -> None:
        """Write a file of the site, unless it is there already as it should be."""
        target, content = self.path / name, text.encode("utf-8", "replace")
        self.files.add(name)
        try:
            if target.is_file() and target.read_bytes() == content:
                return
            target.parent.mkdir(exist_ok=True)
            write_whole(target, content, durable=False)
        except OSError as error:
            raise _cannot(target, error) from None
        self.wrote += 1

    def close(self) -> None:
        """Remove what an earlier site wrote and this one did not, and note what is here now."""
        for name in sorted(self.before - self.files):
            target = self.path / name
            if _OURS.fullmatch(name) and target.is_file() and not target.parent.is_symlink():
                target.unlink()
                self.removed += 1
        self._mark(self.files)

    def _mark(self, files: set[str] | frozenset[str]) -> None:
        text = json.dumps({"site": 1, "files": sorted(files)}, indent=1) + "\n"
        try:
            write_whole(self.path / MARKER, text.encode(), durable=False)
        except OSError as error:
            raise _cannot(self.path / MARKER, error) from None


def _cannot(path: Path, error: OSError) -> ReportError:
    return ReportError(Problem(f"cannot be written: {error.strerror}", Location(str(path))))
