"""A strict reader of our pages: what browsers would mend, and what readers without a mouse or eyes miss."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

VOID = {"meta", "link", "br", "input", "col", "img", "hr"}
BLOCKS = {"p", "div", "ul", "ol", "dl", "table", "section", "figure", "pre", "nav", "details"}
PARENTS = {
    "li": {"ul", "ol"}, "tr": {"tbody", "thead"}, "td": {"tr"}, "th": {"tr"}, "dt": {"div", "dl"},
    "dd": {"div", "dl"}, "option": {"optgroup", "select"}, "summary": {"details"}, "caption": {"table"},
    "figcaption": {"figure"}, "tbody": {"table"}, "thead": {"table"}, "col": {"colgroup"},
}  # fmt: skip
DRAWN = {"path", "rect", "circle", "line", "use", "polyline", "image"}


class StrictPage(HTMLParser):
    """Reads a page and fails at what is wrong; what it holds is in its lists."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.named, self.links, self.scripts, self.text = [], [], [], [], [], []
        self.levels, self.labels, self.controls, self.regions, self.counts = [], [], [], [], {}
        assert text.startswith("<!doctype html>\n<html lang=")
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"
        self.finish()

    def handle_starttag(self, tag, attrs):
        self._tag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in DRAWN or "svg" in self.open, f"<{tag}/>"
        self._tag(tag, attrs)

    def handle_endtag(self, tag):
        assert tag not in VOID
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag at {self.getpos()}"

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def _tag(self, tag, attrs):
        said = dict(attrs)
        assert tag not in ("iframe", "object", "embed", "base"), tag
        where = f"<{tag} {said}> at {self.getpos()}"
        assert len(said) == len(attrs), f"an attribute twice: {where}"
        assert not any(name.startswith("on") or name == "style" for name in said), where
        if "svg" not in self.open:
            parent = self.open[-1] if self.open else None
            assert tag not in PARENTS or parent in PARENTS[tag], f"{where} in {parent}"
            assert not (tag in BLOCKS and "p" in self.open), f"{where} in a paragraph"
            assert not (tag in ("a", "button", "details") and {"a", "button"} & set(self.open)), where
        if "svg" not in self.open:
            self.counts[tag] = self.counts.get(tag, 0) + 1
        self._collect(tag, said, where)

    def _collect(self, tag, said, where):
        if "id" in said:
            assert said["id"], where
            assert not re.search(r"\s", said["id"]), where
            self.ids.append(said["id"])
        for name in ("aria-labelledby", "aria-describedby", "for"):
            self.named += (said.get(name) or "").split()
        if tag in ("a", "link"):
            self.links.append(said["href"])
        if tag == "script":
            self.scripts.append(said["src"])
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "label":
            self.labels.append(said["for"])
        if tag in ("select", "input"):
            self.controls.append(said["id"])
        if tag == "th":
            assert "scope" in said, where
        if "tabindex" in said:
            assert said["tabindex"] == "0", where
            assert said.get("role") == "region", where
            assert said.get("aria-label"), where
        if tag == "svg":
            named = said.get("aria-label") or said.get("aria-labelledby")
            assert said.get("aria-hidden") == "true" or (said.get("role") == "img" and named), where

    def finish(self):
        assert len(set(self.ids)) == len(self.ids), sorted(i for i in self.ids if self.ids.count(i) > 1)
        assert set(self.named) <= set(self.ids), set(self.named) - set(self.ids)
        assert set(self.controls) <= set(self.labels)
        assert self.levels[0] == 1
        assert self.levels.count(1) == 1
        assert all(b <= a + 1 for a, b in zip(self.levels, self.levels[1:], strict=False)), self.levels
        for tag in ("main", "title", "h1"):
            assert self.counts[tag] == 1, tag
        assert self.counts.get("caption", 0) == self.counts.get("table", 0)

    @property
    def words(self):
        """All text."""
        return "".join(self.text)


def read_site(folder):
    """Every page that can be reached from the first one, by path; fails where a link leads nowhere."""
    pages, waiting = {}, [Path(folder) / "index.html"]
    while waiting:
        path = waiting.pop().resolve()
        if path in pages:
            continue
        page = pages[path] = StrictPage(path.read_text(encoding="utf-8"))
        for target in (*page.links, *page.scripts):
            parts = urlsplit(target)
            if parts.scheme or not parts.path:
                continue
            other = (path.parent / unquote(parts.path)).resolve()
            assert other.exists(), f"{path.name}: {target} leads nowhere"
            if other.suffix == ".html" and other.is_relative_to(Path(folder).resolve()):
                waiting.append(other)
    _check_anchors(pages)
    return {path.relative_to(Path(folder).resolve()).as_posix(): page for path, page in pages.items()}


def _check_anchors(pages):
    for path, page in pages.items():
        for target in page.links:
            parts = urlsplit(target)
            other = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.fragment and not parts.scheme and other.name != "compare.html":
                assert unquote(parts.fragment) in pages[other].ids, f"{path.name}: {target}"
