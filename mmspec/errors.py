"""Every error a user can meet.

    MmspecError
    ├── UserError            the user's mistake; exit code 2
    │   ├── SpecError        a spec, or an override, says something wrong
    │   ├── PluginError      a plugin is unknown, ambiguous or cannot be loaded
    │   ├── GraphError       plugins do not fit together: shapes, parameters, capabilities
    │   ├── DataError        data are missing, damaged or not what the spec says
    │   ├── RecordError      a run directory is not what it should be, or is in use
    │   └── ReportError      a report definition says something wrong
    └── RunError             the run itself failed; exit code 1

An error carries `Problem`s: where, what is wrong, what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.frozen
class Location:
    """A place in a text the user wrote: 1-based `line` and `column`, and the `text` of that line.

    `width` is how many characters the caret line marks. `file` is a path, or what stands for one
    (`--set`). A place without a line (a whole file) has `line = 0`.
    """

    file: str
    line: int = 0
    column: int = 0
    width: int = 1
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@attrs.frozen
class Problem:
    """One thing that is wrong: `what` it is, `where` it stands, and a `hint` what to do about it."""

    what: str
    where: Location | None = None
    hint: str | None = None

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.where and self.where.text:
            number = str(self.where.line)
            pad = " " * len(number)
            caret = " " * (self.where.column - 1) + "^" * max(1, self.where.width)
            lines += [f"  {number} | {self.where.text}", f"  {pad} | {caret}"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class MmspecError(Exception):
    """The root of all errors of mmspec."""

    exit_code: ClassVar[int] = 1

    def __init__(self, problems: str | Problem | Iterable[Problem], *, hint: str | None = None) -> None:
        if isinstance(problems, str):
            problems = Problem(problems, hint=hint)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UserError(MmspecError):
    """Something the user can put right."""

    exit_code = 2


class SpecError(UserError):
    """A spec, or an override of one, says something wrong."""


class PluginError(UserError):
    """A plugin is unknown, ambiguous, or cannot be loaded."""


class GraphError(UserError):
    """Plugins do not fit together: shapes, parameter names, capabilities."""


class DataError(UserError):
    """Data are missing, damaged, or not what the spec says."""


class RecordError(UserError):
    """A run directory is not what it should be, or another process uses it."""


class ReportError(UserError):
    """A report definition says something wrong, or asks for what the runs do not hold."""


class RunError(MmspecError):
    """A run failed."""
