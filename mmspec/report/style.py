"""How the figures of a report look, and how they become files. matplotlib is imported when they are drawn."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmspec.report.formats.pgf import as_pgf

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Text, axes and whatever is not data. A page replaces it by its own ink.
INK = "#1f1f1f"
#: Okabe and Ito (2008): told apart with any colour vision. Their yellow is too light for lines.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#7f7f7f")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (2.5, 1.2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
#: Of bars of one value each, beside their colours.
HATCHES = ("", "/////", "-----", "xxxxx", "|||||", "\\\\\\\\\\")

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # it comes with matplotlib, so pictures are the same everywhere
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "lines.linewidth": 1.3,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "hatch.linewidth": 0.5,
    "pgf.rcfonts": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "mmspec",
    "path.simplify": True,
}


def looks(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A colour, a dash pattern and a marker for each label, in order.

    Colours, dashes and markers are 7, 5 and 8, so that no two of 56 labels share both colour and marker, and
    in grey the first 16 differ in their markers, full or hollow.
    """
    return {
        label: {
            "color": COLOURS[index % len(COLOURS)],
            "linestyle": _DASHES[index % len(_DASHES)],
            "marker": _MARKERS[index % len(_MARKERS)],
            "fillstyle": "full" if index // len(_MARKERS) % 2 == 0 else "none",
        }
        for index, label in enumerate(labels)
    }


@contextmanager
def drawing(size: tuple[float, float]) -> Iterator[Figure]:
    """An empty figure of `size` inches; what is drawn inside has the reports' style."""
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure

    style = {**_STYLE, "axes.prop_cycle": cycler(color=COLOURS)}
    with warnings.catch_warnings(), matplotlib.rc_context(style):
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield Figure(figsize=size, layout="constrained")


def as_files(figure: Figure) -> dict[str, bytes]:
    """The figure as SVG, PNG and PGF; the same drawing gives the same bytes. Call it inside `drawing`."""
    svg, png = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(png, format="png", dpi=300, facecolor="white", metadata={"Software": None})
    return {"svg": svg.getvalue(), "png": png.getvalue(), "pgf": as_pgf(figure)}
