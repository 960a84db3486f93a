"""Values of a tree as types, with what does not fit told at its place."""

from __future__ import annotations

from typing import Any

from mmspec.spec.findings import Context, Findings
from mmspec.spec.model import ROOT_KEYS
from mmspec.spec.scan import Path
from mmspec.spec.structure import MisfitError, structure
from mmspec.spec.tree import Node
from mmspec.spec.words import dotted


def typed(
    node: Node | None, kind: Any, path: Path, findings: Findings, context: Context | None = None
) -> Any:
    """The value of a node as a `kind`; None, with findings, if it does not fit or is not there."""
    if node is None:
        return None
    try:
        return structure(node.plain(), kind)
    except MisfitError as error:
        note(error, node, path, findings, context)
        return None


def note(
    error: MisfitError, node: Node, path: Path, findings: Findings, context: Context | None = None
) -> None:
    """Tell the findings what does not fit in the value of `node`, which stands at `path`."""
    for misfit in error.misfits:
        at = node.find(misfit.path)
        place = at.key if misfit.on_key and at.key else at.mark
        hint = misfit.hint
        if misfit.on_key and misfit.path[-1] in ROOT_KEYS and len(path) == len(misfit.path) == 1:
            hint = f"{misfit.path[-1]} belongs to the top of the spec, above the first [table]"
        findings.add(f"{dotted((*path, *misfit.path))}: {misfit.what}", place.location(), hint, context)
