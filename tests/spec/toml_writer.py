"""Writes trees as TOML in many styles, and makes such trees: for tests of reading."""

from __future__ import annotations

import re
from datetime import date, datetime, time

from hypothesis import strategies as st

_BARE = re.compile(r"[A-Za-z0-9_-]+")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True), texts)
scalars = st.one_of(
    texts,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.booleans(),
    st.dates(),
    st.times(),
    st.datetimes(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)
trees = st.dictionaries(keys, values, max_size=5)


def quoted(text, draw):
    """A string, in one of TOML's styles that can hold it."""
    plain = all(c.isprintable() for c in text)
    styles = [_basic(text)]
    if plain and "'" not in text:
        styles += [f"'{text}'", f"'''{text}'''"]
    if plain and '"' not in text and "\\" not in text:
        styles.append(f'"""{text}"""')
    return draw(st.sampled_from(styles))


def _basic(text):
    short = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(short.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text) + '"'


def key(name, draw):
    """A key, bare where it can be."""
    if _BARE.fullmatch(name) and draw(st.booleans()):
        return name
    return f"'{name}'" if name.isprintable() and "'" not in name and draw(st.booleans()) else _basic(name)


def value(item, draw):
    """A value on one line, or over several."""
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str):
        return quoted(item, draw)
    if isinstance(item, float):
        return repr(item)
    if isinstance(item, datetime):
        return item.isoformat(sep=draw(st.sampled_from("T ")))
    if isinstance(item, date | time):
        return item.isoformat()
    if isinstance(item, list):
        gap = draw(st.sampled_from(["", " ", "\n  ", " # note ]\n"]))
        return f"[{gap}" + f",{gap}".join(value(i, draw) for i in item) + f"{gap}]"
    if isinstance(item, dict):
        return "{ " + ", ".join(f"{key(k, draw)} = {value(v, draw)}" for k, v in item.items()) + " }"
    return str(item)


@st.composite
def documents(draw, tree=trees):
    """A TOML text."""
    return write(draw(tree), draw)


def write(tree, draw):
    """A tree as a document; tables become headers, dotted keys or inline ones, lists of them [[…]]."""
    lines = []
    _table(tree, [], lines, draw)
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n# end"]))


def _table(table, path, lines, draw):
    later = []
    for name, item in table.items():
        style = draw(st.sampled_from(["inline", "header", "dotted"]))
        flat = isinstance(item, dict) and item and not any(isinstance(v, dict) for v in item.values())
        rows = isinstance(item, list) and item and all(isinstance(i, dict) for i in item)
        if style == "header" and (isinstance(item, dict) or rows):
            later.append((name, item))
        elif style == "dotted" and flat:
            lines += [f"{key(name, draw)} . {key(k, draw)} = {value(v, draw)}" for k, v in item.items()]
        else:
            note = draw(st.sampled_from(["", " # x = [1"]))
            lines.append(f"{key(name, draw)} = {value(item, draw)}{note}")
    for name, item in later:
        inside = [*path, name]
        header = " . ".join(key(p, draw) for p in inside)
        for one in item if isinstance(item, list) else [item]:
            lines.append(f"[[{header}]]" if isinstance(item, list) else f"[{header}]")
            _table(one, inside, lines, draw)
