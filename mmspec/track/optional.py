"""Packages that mmspec can do without: what a user is told where one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from mmspec.errors import Problem


def missing_package(package: str, extra: str) -> Sequence[Problem]:
    """The problem that `package` is not installed, if it is not; `extra` of mmspec brings it."""
    if find_spec(package) is not None:
        return ()
    return (Problem(f"the package {package} is not installed", hint=install(extra)),)


def install(extra: str) -> str:
    """The command that installs an extra."""
    return f'pip install "mmspec[{extra}]"'
