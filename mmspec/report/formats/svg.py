"""Drawings that stand in a page: nothing in them but shapes and words, whatever made them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import lru_cache

from mmspec.report.formats.html_text import escape
from mmspec.report.style import INK

_ELEMENT = re.compile(
    r"svg|g|path|rect|circle|ellipse|line|polyline|polygon|text|tspan|title|desc|defs|use|marker|clipPath"
    r"|linearGradient|radialGradient|stop|pattern|image"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_OUTSIDE = re.compile(r"url\(\s*['\"]?(?!#)|expression|javascript:", re.IGNORECASE)
#: What a page says of a drawing itself, and what it must not: only the page's styles count.
_DROPPED = frozenset({"aria-label", "role", "style", "version", "xmlns"})
_PICTURE = "data:image/png;base64,"


@lru_cache(maxsize=256)
def inline_svg(svg: str, label: str, prefix: str) -> str:
    """A drawing to stand in a page: its ids its own, its ink that of the text, its label said aloud.

    Elements and attributes that could do more than draw are left out, and styles become attributes, so that
    a page can forbid both. Empty if `svg` is no drawing.
    """
    if "<!ENTITY" in svg:
        return ""
    try:
        root = ET.fromstring(svg)  # noqa: S314 - entities are refused above
    except ET.ParseError:
        return ""
    if _plain(root.tag) != "svg":
        return ""
    attributes = dict(_attributes(root, prefix))
    said = f'<svg role="img" aria-label="{escape(label)}" stroke-linejoin="round"'
    return said + _written(attributes) + ">" + _inside(root, prefix) + "</svg>"


def _plain(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def _element(element: ET.Element, prefix: str) -> str:
    tag = _plain(element.tag) if isinstance(element.tag, str) else ""
    if not _ELEMENT.fullmatch(tag):
        return ""
    inner = _inside(element, prefix)
    opening = f"<{tag}{_written(dict(_attributes(element, prefix)))}"
    return f"{opening}>{inner}</{tag}>" if inner else f"{opening}/>"


def _inside(element: ET.Element, prefix: str) -> str:
    parts = [escape(element.text) if element.text and element.text.strip() else ""]
    for child in element:
        parts.append(_element(child, prefix))
        if child.tail and child.tail.strip():
            parts.append(escape(child.tail))
    return "".join(parts)


def _attributes(element: ET.Element, prefix: str) -> Iterator[tuple[str, str]]:
    """What draws: attributes, then what `style` says, which wins."""
    for full, value in element.items():
        name = _plain(full)
        if name == "href":
            if value.startswith("#"):
                yield name, f"#{prefix}-{value[1:]}"
            elif value.startswith(_PICTURE):
                yield name, value
        elif name == "id":
            yield name, f"{prefix}-{value}"
        elif _may_stand(name, value) and not full.startswith("{"):
            yield name, _adapted(value, prefix)
    for rule in element.get("style", "").split(";"):
        name, _, value = (part.strip() for part in rule.partition(":"))
        if value and _may_stand(name, value):
            yield name, _adapted(value, prefix)


def _may_stand(name: str, value: str) -> bool:
    return bool(
        name not in _DROPPED
        and not name.lower().startswith("on")
        and _NAME.fullmatch(name)
        and not _OUTSIDE.search(value)
    )


def _adapted(value: str, prefix: str) -> str:
    return value.replace("url(#", f"url(#{prefix}-").replace(INK, "currentColor")


def _written(attributes: dict[str, str]) -> str:
    return "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
