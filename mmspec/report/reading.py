"""From a report's TOML to its typed definition: strict, and all mistakes at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import attrs

from mmspec.errors import PluginError, ReportError, SpecError
from mmspec.plugins.api import Figure
from mmspec.plugins.registry import Registry
from mmspec.report.checks import Files, check_definition
from mmspec.report.definition import Definition, FigureBlock
from mmspec.report.leaderboards.checks import check_leaderboards
from mmspec.report.leaderboards.listing import Listing, Listings, read_listings
from mmspec.report.published import Published, read_published
from mmspec.report.runs.sources import check_sources
from mmspec.spec.findings import Findings
from mmspec.spec.load import Document, read_document
from mmspec.spec.structure import MisfitError, fields, structure_fields
from mmspec.spec.tree import Node
from mmspec.spec.typed import note
from mmspec.spec.words import show

_FIGURE_KEYS = frozenset(fields(FigureBlock)) - {"options"}
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


BlockKind = Literal["tables", "figures", "leaderboards", "texts"]


@attrs.frozen
class Reading:
    """A report as read: its definition, its figures' plugins by name of their files, and where all stands.

    `published` are the files of published figures, by name; `listings` the published entries of each
    leaderboard. `order` are the blocks of the report as they were written, each the kind and its index
    among those.
    """

    definition: Definition
    figures: Mapping[str, Figure]
    source: Document
    published: Mapping[str, Published] = attrs.field(factory=dict)
    order: Sequence[tuple[BlockKind, int]] = ()
    listings: Sequence[tuple[Listing, ...]] = ()


def read_definition(path: Path, registry: Registry) -> Reading:
    """Read a report definition with what it extends.

    Raises:
        ReportError: with all that is wrong, each at its place.
    """
    findings = Findings()
    try:
        document = read_document(path)
        published = read_published(document.root, findings)
        listings = read_listings(document.root, findings)
        definition = _definition(document.root, published, listings, findings)
        figures = _figures(document.root, registry, findings)
        check_sources(document.root, registry, findings)
        findings.raise_any()
    except SpecError as error:
        raise ReportError(error.problems) from None
    assert definition is not None
    read = {name: file for name, file in published.items() if file}
    entries = [found or () for found in listings]
    return Reading(definition, figures, document, read, _order(document), entries)


def _order(document: Document) -> list[tuple[BlockKind, int]]:
    """The blocks in the order in which they were written; those of extended files come first."""
    main, *extended = document.sources
    files = {source.file: rank for rank, source in enumerate((*extended, main))}
    placed = [
        (files[node.place.source.file], node.place.start, kind, index)
        for kind in get_args(BlockKind)
        for index, node in enumerate(document.root.find((kind,)).items)
    ]
    return [(kind, index) for _, _, kind, index in sorted(placed)]


def _definition(
    root: Node, files: Files, listings: Sequence[Listings], findings: Findings
) -> Definition | None:
    """The definition; options of figures' plugins are put apart. None, with findings, if it does not fit."""
    tree = root.plain()
    blocks = tree.get("figures")
    if isinstance(blocks, list):
        tree["figures"] = [
            {**{key: block[key] for key in _FIGURE_KEYS & set(block)}, "options": _options(block)}
            if isinstance(block, dict)
            else block
            for block in blocks
        ]
    try:
        definition: Definition = structure_fields(Definition, tree)
    except MisfitError as error:
        note(error, root, (), findings)
        return None
    check_definition(definition, files, root, findings)
    check_leaderboards(definition.leaderboards, listings, root, findings)
    return definition


def _figures(root: Node, registry: Registry, findings: Findings) -> dict[str, Figure]:
    """The plugins of the figures with their options, by the name of their files."""
    figures: dict[str, Figure] = {}
    for index, node in enumerate(root.find(("figures",)).items):
        block = node.plain()
        use = block.get("use") if isinstance(block, dict) else None
        if not isinstance(use, str):
            continue  # the definition has told
        name = str(block.get("name", use.rpartition(":")[2]))
        if not _FILE_NAME.fullmatch(name):
            findings.add(f"figures[{index}].name: {show(name)} cannot name a file", node.where())
        elif name in figures:
            findings.add(
                f"figures[{index}]: another figure is called {show(name)}", node.where(), "give it a name"
            )
        try:
            cls = registry.find("figure", use).load()
            figures[name] = structure_fields(cls, _options(block))
        except PluginError as error:
            where = node.table["use"].where()
            findings.extend(attrs.evolve(problem, where=where) for problem in error.problems)
        except MisfitError as error:
            note(error, node, ("figures", index), findings)
    return figures


def _options(block: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a figure's table that are its plugin's."""
    return {key: value for key, value in block.items() if key not in _FIGURE_KEYS}
