"""The site in a real browser, opened from disk. Slow, and only where there is a Chromium."""

from __future__ import annotations

import importlib.util
import json

import pytest
from browser import CHROMIUM, browser
from fake_runs import DEMO, write_demo, write_run

from mmspec.report.render import make_document
from mmspec.report.site import write_site

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
    pytest.mark.skipif(
        importlib.util.find_spec("websockets") is None,
        reason="there is no websockets to speak to Chromium by",
    ),
]

#: The ratio of contrast of each text to what is behind it, as WCAG 2 measures it, and what is below AA.
CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    if (a === 0) return null;
    const part = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (e) => { for (; e; e = e.parentElement) {
    const l = light(getComputedStyle(e).backgroundColor); if (l !== null) return l; } };
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    if (e.closest("svg, script, noscript")) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const a = light(getComputedStyle(e).color), b = behind(e);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push([e.tagName, e.className, e.textContent.slice(0, 40), ratio]);
  }
  return low;
})()"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, registry):
    """The demo's site, with a failed run."""
    folder = tmp_path_factory.mktemp("site")
    write_demo(folder / "runs")
    write_run(folder / "runs", {"variant": "guided"}, 7, {}, status="failed")
    document = make_document(DEMO, runs_root=folder / "runs", folder=folder / "site", registry=registry)
    write_site(document, folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page(chromium, made):
    """A browser that opens pages of the site, and has nothing to complain of when the test ends."""
    chromium.complaints.clear()
    chromium.asked.clear()
    chromium.scheme("light")
    chromium.width(1200)

    class Page:
        def __getattr__(self, name):
            return getattr(chromium, name)

        def open(self, name):
            chromium.open("about:blank")
            chromium.open(
                (made / name.partition("#")[0]).as_uri()
                + ("#" if "#" in name else "")
                + name.partition("#")[2]
            )

    yield Page()
    assert not chromium.complaints
    assert all(url.startswith((made.as_uri(), "data:", "about:")) for url in chromium.asked), chromium.asked


def slugs(made, beginning):
    return sorted(path.stem for path in (made / "runs").glob(f"{beginning}*.html"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_pages_load_from_disk_and_can_be_read(page, made, scheme, width):
    page.scheme(scheme)
    page.width(width)
    pair = f"compare.html#a={slugs(made, 'none-s0')[0]}&b={slugs(made, 'guided-s0')[0]}"
    for name in (
        "index.html",
        f"runs/{slugs(made, 'guided-s0')[0]}.html",
        f"runs/{slugs(made, 'guided-s7')[0]}.html",
        pair,
    ):
        page.open(name)
        if name is pair:
            page.until("document.querySelectorAll('#result table').length > 1")
        assert page.ask("document.styleSheets.length") == 1
        paper = page.ask("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 24, 26)")
        assert page.ask("document.documentElement.scrollWidth <= innerWidth"), (
            f"{name} is wider than the window"
        )
        assert page.ask(CONTRAST) == []


def test_two_runs_are_compared(page, made):
    a, b = slugs(made, "none-s0")[0], slugs(made, "guided-s0")[0]
    page.open(f"compare.html#a={a}&b={b}")
    page.until("document.querySelectorAll('#result table').length > 1")
    spec = page.ask("[...document.querySelectorAll('#spec ~ .scroll tbody tr')].map((r) => r.innerText)")
    assert [line.split() for line in spec] == [["balancing.use", '"none"', '"guided"']]
    values = page.ask("[...document.querySelectorAll('#values ~ .scroll tbody tr')].map((r) => r.innerText)")
    row = next(line.split() for line in values if line.startswith("test/accuracy\t"))
    x, y = (number(made, name, "test/accuracy") for name in (a, b))
    assert float(row[3].replace("−", "-")) == pytest.approx(y - x, rel=1e-3)
    assert "1 key of the spec differs" in page.ask("document.getElementById('said').textContent")


def number(made, name, metric):
    text = (made / "runs" / f"{name}.js").read_text()
    return json.loads("[" + text.removeprefix("mmspecRun(").removesuffix(");\n") + "]")[1]["values"][metric]


def test_the_choice_is_made_by_keyboard_and_stands_in_the_address(page, made):
    page.open("compare.html")
    page.until("document.querySelectorAll('#result section').length === 3")
    page.ask("document.getElementById('b').focus()")
    before = page.ask("location.hash")
    page.key("ArrowDown")
    page.until(f"location.hash !== {json.dumps(before)}")
    page.until("!document.getElementById('said').textContent.includes('…')")
    page.key("Tab")
    assert page.ask("document.activeElement.id") == "swap"
    a, b = page.ask("[document.getElementById('a').value, document.getElementById('b').value]")
    page.key("Enter")
    page.until(f"location.hash === '#a={b}&b={a}'")


def test_a_run_that_is_not_there_does_no_harm(page):
    page.open("compare.html#a=../../x&b=<script>")
    page.until("document.querySelectorAll('#result section').length === 3")


def test_runs_are_filtered_and_sorted(page):
    page.open("index.html")
    page.ask("document.getElementById('filter').value = 'guided 0'")
    page.ask("document.getElementById('filter').dispatchEvent(new Event('input'))")
    shown = "[...document.querySelectorAll('#list tbody tr')].filter((r) => !r.hidden)"
    assert 1 <= page.ask(f"{shown}.length") < 18
    page.ask("document.getElementById('filter').value = ''")
    page.ask("document.getElementById('filter').dispatchEvent(new Event('input'))")
    heads = "[...document.querySelectorAll('#list thead button')]"
    page.ask(f"{heads}.find((b) => b.textContent.startsWith('test/accuracy (')).click()")
    numbers = page.ask(f"{shown}.map((r) => Number(r.querySelectorAll('[data-sort]')[0].dataset.sort))")
    assert numbers == sorted(numbers)
    assert page.ask("document.querySelectorAll('[aria-sort=ascending]').length") == 1


def test_the_first_tab_leads_past_the_head(page):
    page.open("index.html")
    page.key("Tab")
    assert page.ask("document.activeElement.className") == "skip"
    assert page.ask("document.activeElement.getBoundingClientRect().left") >= 0
