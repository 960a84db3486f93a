"""Plugins by kind and name. Nothing is imported before it is used."""

from __future__ import annotations

import hashlib
import inspect
import sys
import warnings
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Protocol

import attrs

from mmspec.errors import PluginError, Problem
from mmspec.plugins import api
from mmspec.plugins.discovery import Discovery, discover, normalized, source_hash
from mmspec.plugins.plan import PluginOrigin
from mmspec.spec.structure import fields
from mmspec.spec.words import listed, show, suggestion

#: The base class of each kind of plugin.
KINDS: Mapping[str, type[api.Plugin]] = {
    base.kind: base
    for base in (
        api.Dataset, api.Backbone, api.Fusion, api.Balancing, api.Objective, api.Optimizer, api.Schedule,
        api.Metric, api.Sampler, api.Analysis, api.Tracker, api.Launcher, api.RunSource, api.Figure,
    )
}  # fmt: skip

#: Keys of a table that belong to the spec itself; no option of a plugin can be called so.
CORE_KEYS: Mapping[str, frozenset[str]] = {
    "fusion": frozenset({"use", "at"}),
    "optimizer": frozenset({"use", "groups"}),
    "figure": frozenset({"use", "name", "title", "text", "rows"}),
}


def in_words(kind: str) -> str:
    """A kind as sentences have it."""
    return "balancing strategy" if kind == "balancing" else kind


class PluginWarning(UserWarning):
    """An installed distribution offers plugins in a way that cannot be read; others are not affected."""


class _Loadable(Protocol):
    def load(self) -> object: ...


@attrs.frozen(slots=False)
class PluginRecord:
    """One plugin that can be used: `kind` and `name`, and where it comes from."""

    kind: str
    name: str
    target: str
    distribution: str
    version: str
    _source: _Loadable = attrs.field(repr=False, eq=False)

    @property
    def title(self) -> str:
        """The plugin as error messages call it."""
        of = f" of {self.distribution}" if self.distribution else ""
        return f"{in_words(self.kind)} {self.name}{of}"

    @cached_property
    def origin(self) -> PluginOrigin:
        """Where it comes from, with the hash of its source where that can change."""
        package = self.target.partition(":")[0].partition(".")[0]
        given = not self.distribution
        digest = _hash_of_class(self.load()) if given else source_hash(self.distribution, package)
        return PluginOrigin(self.kind, self.name, self.target, self.distribution, self.version, digest)

    def load(self) -> type[api.Plugin]:
        """The plugin's class.

        Raises:
            PluginError: it cannot be imported, or is no plugin of its kind.
        """
        return self._loaded

    @cached_property
    def _loaded(self) -> type[api.Plugin]:
        try:
            found = self._source.load()
        except Exception as error:
            raise self._error(f"cannot be imported: {type(error).__name__}: {error}") from error
        base = KINDS[self.kind]
        if not (isinstance(found, type) and issubclass(found, base)):
            raise self._error(f"is no subclass of mmspec.plugins.api.{base.__name__}")
        try:
            options = fields(found)
        except Exception as error:
            raise self._error(f"has annotations that cannot be resolved: {error}") from error
        for name in CORE_KEYS.get(self.kind, {"use"}):
            if name in options:
                raise self._error(f"has an option called {name}, which is a key of the spec itself")
        return found

    def _error(self, what: str) -> PluginError:
        installed = f"{self.target} in {self.distribution} {self.version}"
        hint = f"{installed}: install a version that fits, or uninstall it" if self.distribution else None
        return PluginError(Problem(f"the {self.title} {what}", hint=hint))


@attrs.frozen
class _Given:
    """A class that a program registered itself."""

    cls: object

    def load(self) -> object:
        return self.cls


def _hash_of_class(cls: type) -> str | None:
    try:
        return hashlib.sha256(inspect.getsource(cls).encode()).hexdigest()
    except (OSError, TypeError):
        return None


@attrs.frozen(eq=False)
class Registry:
    """All plugins there are; `problems` are those of discovery."""

    records: Mapping[tuple[str, str], tuple[PluginRecord, ...]]
    problems: tuple[Problem, ...] = ()

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of a kind, sorted; one that several distributions offer is there as `dist:name`."""
        found = []
        for (its_kind, name), records in self.records.items():
            if its_kind == kind:
                found += [name] if len(records) == 1 else [f"{r.distribution}:{name}" for r in records]
        return tuple(sorted(found))

    def find(self, kind: str, name: str) -> PluginRecord:
        """The plugin that `name` or `distribution:name` means.

        Raises:
            PluginError: there is none, or there are several.
        """
        distribution, colon, short = name.rpartition(":")
        offered = self.records.get((kind, short if colon else name), ())
        if colon:
            offered = tuple(r for r in offered if normalized(r.distribution) == normalized(distribution))
        if len(offered) == 1:
            return offered[0]
        title = f"{in_words(kind)} {show(name)}"
        if not offered:
            raise PluginError(Problem(f"there is no {title}", hint=self._instead(kind, name)))
        names = " and ".join(r.distribution or r.target for r in offered)
        choices = " or ".join(f'use = "{r.distribution}:{r.name}"' for r in offered)
        raise PluginError(Problem(f"the {title} is offered by {names}", hint=f"choose one: {choices}"))

    def _instead(self, kind: str, name: str) -> str:
        names = self.names(kind)
        others = [k for k, n in self.records if n == name]
        if others:
            return f"{name} is a {in_words(others[0])}; installed as {kind}: {listed(names) or 'none'}"
        return suggestion(name, names, of="installed")

    def with_plugins(self, plugins: Mapping[tuple[str, str], type[Any]]) -> Registry:
        """This registry with classes of your own, by kind and name; they win over installed ones."""
        records = dict(self.records)
        for (kind, name), cls in plugins.items():
            if kind not in KINDS:
                raise PluginError(f"there is no kind of plugin {show(kind)}", hint=f"kinds: {listed(KINDS)}")
            target = f"{getattr(cls, '__module__', '?')}:{getattr(cls, '__qualname__', cls)}"
            records[kind, name] = (PluginRecord(kind, name, target, "", "", _Given(cls)),)
        return Registry(records, self.problems)


def make_registry(found: Discovery) -> Registry:
    """The registry of what discovery found; entries of unknown kinds are problems, not errors."""
    records: dict[tuple[str, str], tuple[PluginRecord, ...]] = {}
    problems = list(found.problems)
    for offer in found.offers:
        if offer.kind not in KINDS:
            problems.append(
                Problem(
                    f"{offer.distribution}: {offer.name} is offered as {offer.kind}: no kind of plugin",
                    hint=f"kinds: {listed(KINDS)}",
                )
            )
            continue
        record = PluginRecord(offer.kind, offer.name, offer.target, offer.distribution, offer.version, offer)
        key = (offer.kind, offer.name)
        records[key] = (*records.get(key, ()), record)
    return Registry(records, tuple(problems))


def default_registry() -> Registry:
    """The registry of all installed plugins; a `PluginWarning` for each distribution that cannot be read."""
    return _registry_of(tuple(sys.path))


@lru_cache(maxsize=8)
def _registry_of(path: tuple[str, ...]) -> Registry:
    registry = make_registry(discover(path))
    for problem in registry.problems:
        warnings.warn(str(problem), PluginWarning, stacklevel=3)
    return registry
