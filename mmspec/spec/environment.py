"""`${NAME}` and `${NAME:-default}` in the strings of a spec; `$$` is a dollar."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mmspec.spec.findings import Findings
from mmspec.spec.scan import Path
from mmspec.spec.tree import Node
from mmspec.spec.words import dotted, nearest, show

_REFERENCE = re.compile(r"\$(?:\$|\{(?P<inside>[^}]*)(?P<end>\}?))")
_NAME = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-(?P<text>.*))?", re.DOTALL)


def fill_in(node: Node, environment: Mapping[str, str], findings: Findings, path: Path = ()) -> Node:
    """`node` with its references replaced; those that cannot be are noted in `findings`."""
    if isinstance(node.value, dict):
        table = {k: fill_in(v, environment, findings, (*path, k)) for k, v in node.value.items()}
        changed = any(table[k] is not v for k, v in node.value.items())
        return Node(table, node.place, node.key) if changed else node
    if isinstance(node.value, tuple):
        items = tuple(fill_in(v, environment, findings, (*path, i)) for i, v in enumerate(node.value))
        changed = any(a is not b for a, b in zip(items, node.value, strict=True))
        return Node(items, node.place, node.key) if changed else node
    if isinstance(node.value, str) and "$" in node.value:
        return Node(_filled(node, environment, findings, path), node.place, node.key)
    return node


def _filled(node: Node, environment: Mapping[str, str], findings: Findings, path: Path) -> str:
    def replace(reference: re.Match[str]) -> str:
        if reference["inside"] is None:
            return "$"
        found = _NAME.fullmatch(reference["inside"])
        if not found or not reference["end"]:
            findings.add(
                f"{dotted(path)}: {show(reference.group())} names no environment variable",
                node.where(),
                "write ${NAME} or ${NAME:-default}; a dollar alone is $$",
            )
            return ""
        name, default = found["name"], found["text"] if found["default"] else None
        value = environment.get(name, default)
        if value is None:
            close = nearest(name, environment)
            findings.add(
                f"{dotted(path)}: the environment variable {name} is not set",
                node.where(),
                f"set {name}, or give a default: ${{{name}:-…}}"
                + (f"; {close} is set" if close and close != name else ""),
            )
            return ""
        return value

    return _REFERENCE.sub(replace, str(node.value))
