"""The Markdown pages of the repository, taken apart for test_docs.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[1]
_FOLDERS = ("*.md", "docs/*.md", "examples/*/*.md", "benchmarks/*.md")
PAGES = sorted(page for pattern in _FOLDERS for page in ROOT.glob(pattern))
_BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@attrs.frozen
class Block:
    """A fenced block: its info string, text, and the line its text begins on."""

    page: Path
    info: str
    text: str
    line: int

    @property
    def id(self) -> str:
        """Where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def language(self) -> str:
        """The first word of the info string."""
        return self.info.partition(" ")[0]


def read(page: Path) -> str:
    """A page's text."""
    return page.read_text(encoding="utf-8")


def blocks(*infos: str, page: Path | None = None) -> list[Block]:
    """The fenced blocks with one of these info strings (none: all), of one page or of all."""
    found = []
    for each in [page] if page else PAGES:
        text = read(each)
        for match in _BLOCK.finditer(text):
            info = match["info"].strip()
            if not infos or info in infos:
                line = text.count("\n", 0, match.start("text")) + 1
                found.append(Block(each, info, match["text"], line))
    return found


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _BLOCK.sub("", read(page))


def inline_code(page: Path) -> list[str]:
    """What stands between single backticks."""
    return [" ".join(code.split()) for code in _INLINE.findall(prose(page))]


def links(page: Path) -> list[str]:
    """The targets of links and pictures, those of other sites left out."""
    targets = _LINK.findall(_INLINE.sub("", prose(page)))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """What links within a page can name: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def commands() -> Iterator[tuple[str, str]]:
    """Command lines of mmspec and make, in blocks and in the text: (where, line)."""
    for block in blocks():
        if block.language in ("sh", "console"):
            for number, line in enumerate(block.text.splitlines(), start=block.line):
                yield f"{block.page.relative_to(ROOT)}:{number}", line.removeprefix("$ ")
    for page in PAGES:
        for code in inline_code(page):
            yield str(page.relative_to(ROOT)), code
