"""Which plugins are installed: reads the entry points of distributions. The only importer of `entrypoints`.

`entrypoints` alone stops at the first malformed file of any distribution and drops all but the first of
several offers of one name. So each file is read by itself here, what cannot be read becomes a warning that
names the distribution, and every offer is kept.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlparse

import attrs
import entrypoints

from mmspec.errors import Location, Problem

#: `name-1.0`, as wheels and eggs are called; `entrypoints` would split a name at its own first hyphen.
_NAME_VERSION = re.compile(r"(.+?)-(\d[^-]*)(?:-py[\d.]+.*)?")

#: Entry-point groups of plugins are called `mmspec.<kind>`.
PREFIX = "mmspec."


@attrs.frozen
class Offer:
    """A plugin as a distribution offers it: `target` is `module:class`; nothing is imported yet."""

    kind: str
    name: str
    target: str
    distribution: str
    version: str

    def load(self) -> object:
        """Import the target. Raises whatever the import raises."""
        module, _, path = self.target.partition(":")
        found: object = import_module(module)
        for attribute in path.split(".") if path else ():
            found = getattr(found, attribute)
        return found


@attrs.frozen
class Discovery:
    """All offers, in the order of the path, and what could not be read."""

    offers: tuple[Offer, ...]
    problems: tuple[Problem, ...]


def discover(path: Sequence[str] | None = None) -> Discovery:
    """The plugins of all distributions on `path` (default `sys.path`); never raises for a broken one."""
    return _discover(tuple(sys.path if path is None else path))


@lru_cache(maxsize=8)
def _discover(path: tuple[str, ...]) -> Discovery:
    offers: list[Offer] = []
    problems: list[Problem] = []
    for info in _installed(path):
        _read(info, offers, problems)
    for folder in path:
        if os.path.isfile(folder):  # noqa: PTH113 - a Path for each entry doubles the time of the scan
            _read_archive(folder, offers, problems)
    return Discovery(tuple(offers), tuple(problems))


# ---------------------------------------------------------------- files of installed distributions


@attrs.frozen
class _Info:
    """A distribution's folder of metadata."""

    distribution: str
    version: str
    folder: str
    leftover: bool  # an .egg-info, which gives way to a .dist-info of the same distribution


def _installed(path: Sequence[str]) -> list[_Info]:
    """One folder for each distribution: the first on the path, but .dist-info before .egg-info."""
    found: dict[str, _Info] = {}
    for folder in path:
        for info in _folders(folder or "."):
            name = normalized(info.distribution)
            if name not in found or (found[name].leftover and not info.leftover):
                found[name] = info
    return list(found.values())


def _folders(folder: str) -> Iterator[_Info]:
    try:
        if folder.rstrip("/\\").endswith(".egg"):
            name, version = _name_version(Path(folder).stem)
            yield _Info(name, version, f"{folder}/EGG-INFO", leftover=True)
            return
        names = sorted(os.listdir(folder))  # noqa: PTH208 - twice as fast as a Path for each
    except OSError:  # not there, or no folder
        return
    for entry in names:
        stem, dot, suffix = entry.rpartition(".")
        if dot and suffix in ("dist-info", "egg-info"):
            name, version = _name_version(stem)
            yield _Info(name, version, f"{folder}/{entry}", leftover=suffix == "egg-info")


def _name_version(stem: str) -> tuple[str, str]:
    found = _NAME_VERSION.fullmatch(stem)
    return (found[1], found[2]) if found else (stem, "")


def normalized(distribution: str) -> str:
    """A distribution's name as comparisons have it: My_Package and my-package are the same."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _read(info: _Info, offers: list[Offer], problems: list[Problem]) -> None:
    file = f"{info.folder}/entry_points.txt"
    try:
        text = Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        if not isinstance(error, NotADirectoryError):
            problems.append(_unreadable(info.distribution, file, error))
        return
    version = info.version or _egg_version(info.folder)
    _parse(text, file, info.distribution, version, offers, problems)


def _egg_version(folder: str) -> str:
    try:
        text = Path(folder, "PKG-INFO").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"^Version: *(\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def _parse(  # noqa: PLR0917
    text: str, file: str, distribution: str, version: str, offers: list[Offer], problems: list[Problem]
) -> None:
    parser = entrypoints.CaseSensitiveConfigParser(delimiters=("=",), interpolation=None)
    try:
        parser.read_string(text, source=file)
    except configparser.Error as error:
        problems.append(_unreadable(distribution, file, error))
        return
    for group in parser.sections():
        if not group.startswith(PREFIX):
            continue
        for name, value in parser[group].items():
            try:
                point = entrypoints.EntryPoint.from_string(value, name)
            except (entrypoints.BadEntryPoint, TypeError):
                problems.append(
                    Problem(
                        f"{distribution}: the entry point {name} = {value} of [{group}] is malformed",
                        Location(file),
                        "it is ignored; reinstall or remove the distribution",
                    )
                )
                continue
            target = f"{point.module_name}:{point.object_name}" if point.object_name else point.module_name
            offers.append(Offer(group.removeprefix(PREFIX), name, target, distribution, version))


def _unreadable(distribution: str, file: str, error: Exception) -> Problem:
    reason = " ".join(str(error).split())
    return Problem(
        f"{distribution}: its entry points cannot be read: {reason}",
        Location(file),
        f"plugins of {distribution} are missing, all others work; reinstall or remove it",
    )


def _read_archive(file: str, offers: list[Offer], problems: list[Problem]) -> None:
    """Entry points of a zip file on the path."""
    if not zipfile.is_zipfile(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                stem = re.fullmatch(r"(?:.*/)?([^/]+)\.(?:dist|egg)-info/entry_points\.txt", name)
                egg = name == "EGG-INFO/entry_points.txt"
                if stem or egg:
                    title = stem[1] if stem else Path(file).stem
                    text = archive.read(name).decode("utf-8", "replace")
                    _parse(text, f"{file}/{name}", *_name_version(title), offers, problems)
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        problems.append(_unreadable(Path(file).name, file, error))


# ---------------------------------------------------------------- where a distribution stands


@lru_cache(maxsize=256)
def editable_root(distribution: str) -> Path | None:
    """The source folder of a distribution that is installed in editable form; None for any other."""
    try:
        text = metadata.distribution(distribution).read_text("direct_url.json")
        found = json.loads(text) if text else {}
    except (metadata.PackageNotFoundError, ValueError, OSError):
        return None
    if not (isinstance(found, dict) and (found.get("dir_info") or {}).get("editable")):
        return None
    return Path(unquote(urlparse(str(found.get("url", ""))).path))


@lru_cache(maxsize=256)
def source_hash(distribution: str, package: str) -> str | None:
    """A hash of the Python files of a top-level `package`, where its distribution is editable; else None.

    The files of an installed distribution do not change under its version; those of an editable one do.
    Taken once a process.
    """
    if editable_root(distribution) is None:
        return None
    return hash_of_package(package)


def hash_of_package(package: str) -> str | None:
    """A hash over names and contents of all Python files of a top-level package or module."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    digest = hashlib.sha256()
    for root in spec.submodule_search_locations or ():
        for file in sorted(Path(root).rglob("*.py")):
            digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    if not spec.submodule_search_locations and spec.origin and Path(spec.origin).is_file():
        digest.update(Path(spec.origin).read_bytes())
    return digest.hexdigest()
