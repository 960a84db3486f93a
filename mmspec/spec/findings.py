"""Gathers the mistakes of a spec, so that all are told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from mmspec.errors import Location, Problem, SpecError
from mmspec.spec.words import show

#: What tells one run, or one stage of it, from its siblings: {"variant": "none", "balancing.alpha": 0.1}.
Context = Mapping[str, Any]


@attrs.frozen
class _Finding:
    what: str
    where: Location | None
    hint: str | None


class Findings:
    """Mistakes so far. The same mistake found in several runs is told once, with the runs it concerns."""

    def __init__(self) -> None:
        self._found: dict[_Finding, list[Context]] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(
        self, what: str, where: Location | None, hint: str | None = None, context: Context | None = None
    ) -> None:
        """Note a mistake; `context` says in which run it was found, None that it is in all."""
        finding = _Finding(_printable(what), where, hint and _printable(hint))
        contexts = self._found.setdefault(finding, [])
        if context is not None:
            contexts.append(context)

    def extend(self, problems: Iterable[Problem], context: Context | None = None) -> None:
        """Note problems that others found."""
        for problem in problems:
            self.add(problem.what, problem.where, problem.hint, context)

    def problems(self, contexts: Iterable[Context] = ()) -> tuple[Problem, ...]:
        """All mistakes by file and line; `contexts` are all there are, so that "in all" is not said."""
        every = _choices(contexts)
        found = [
            Problem(finding.what + _limited(at, every), finding.where, finding.hint)
            for finding, at in self._found.items()
        ]
        return tuple(sorted(found, key=_order))

    def raise_any(self, contexts: Iterable[Context] = ()) -> None:
        """Raise what was found.

        Raises:
            SpecError: with all problems, if there are any.
        """
        if self._found:
            raise SpecError(self.problems(contexts))


def _printable(text: str) -> str:
    """A sentence that changes nothing on a terminal, whatever names and values it quotes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _order(problem: Problem) -> tuple[str, int, int, str]:
    where = problem.where or Location("")
    return (where.file, where.line, where.column, problem.what)


def _choices(contexts: Iterable[Context]) -> dict[str, set[str]]:
    """For each label, all the values it has among the runs."""
    found: dict[str, set[str]] = {}
    for context in contexts:
        for label, value in context.items():
            found.setdefault(label, set()).add(show(value))
    return found


def _limited(at: list[Context], every: Mapping[str, set[str]]) -> str:
    """Which part of all runs a mistake concerns, in words; nothing where it is all of them."""
    parts = []
    for label, values in every.items():
        here = list(dict.fromkeys(show(context[label]) for context in at if label in context))
        if here and len(here) < len(values):
            shown = ", ".join(here[:3]) + (", …" if len(here) > 3 else "")
            named = label in {"variant", "stage"}
            parts.append(f"in {label} {shown}" if named else f"with {label} = {shown}")
    return f" ({', '.join(parts)})" if parts else ""
