"""What tomli says of a text that is no TOML, in words and at a place that help."""

from __future__ import annotations

import re

import tomli

from mmspec.errors import Problem
from mmspec.spec.source import Source
from mmspec.spec.words import dotted

_WORD = re.compile(r"[A-Za-z_][\w./-]*")
_TWICE = re.compile(r"Cannot (?:declare|mutate|redefine)[^(]*(\(.*\))?")


def syntax_problem(error: tomli.TOMLDecodeError, source: Source) -> Problem:
    """The problem that a parse error is."""
    text, at = source.text, min(error.pos, max(0, len(source.text) - 1))
    what, hint = error.msg[:1].lower() + error.msg[1:], None
    word = _WORD.match(text, error.pos)
    width = 1
    if error.msg == "Invalid value" and word:
        width = len(word.group())
        what, hint = f"{word.group()} is no value", f'a string needs quotes: "{word.group()}"'
    elif error.msg == "Invalid value":
        what, hint = "there is no value here", "write key = value"
    elif "'\\n'" in error.msg and "llegal" in error.msg:
        what, hint = "this string does not end on its line", 'close it with a quote, or use """'
    elif error.msg == "Cannot overwrite a value":
        at, width = _statement(text, at)
        what, hint = "this key has a value already", "a key may stand only once in its table"
    elif _TWICE.match(error.msg):
        at, width = _statement(text, at)
        names = re.findall(r"'([^']*)'", error.msg)
        what = f"{dotted(names)} is a table already" if names else "this is a table already"
        hint = "a table may stand only once; [[name]] makes a list of tables"
    return Problem(f"not valid TOML: {what}", source.locate(at, width), hint)


def _statement(text: str, at: int) -> tuple[int, int]:
    """Start and width of the line around an offset, without blanks."""
    begin = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[begin : end if end >= 0 else None]
    return begin + len(line) - len(line.lstrip()), max(1, len(line.strip()))
