"""Figures as PGF, to be input by LaTeX documents, in whose fonts their texts are set.

matplotlib asks a running TeX how large texts are. Here its own font answers, which is wider than most: no
TeX is needed to write the files, and they are the same everywhere.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from mmspec.report.formats.latex_text import escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEAD = r"""% Made by mmspec report; changes are overwritten.
% Needs \usepackage[T1]{fontenc} and \usepackage{pgf}.
\begingroup%
\makeatletter%
\providecommand{\mathdefault}[1]{#1}%
"""
_TAIL = r"""\makeatother%
\endgroup%
"""


def as_pgf(figure: Figure) -> bytes:
    """The figure as PGF; call it inside `drawing`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
    from matplotlib.backends.backend_pgf import FigureCanvasPgf, RendererPgf

    class Renderer(RendererPgf):
        """Texts are escaped where they are no mathematics of matplotlib's own."""

        def draw_text(self, gc: Any, x: Any, y: Any, s: str, *rest: Any, **about: Any) -> None:
            text = s if about.get("ismath") else escape(s)
            super().draw_text(gc, x, y, text, *rest, **about)  # type: ignore[no-untyped-call]

        def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
            return measure.get_text_width_height_descent(s, prop, ismath)  # type: ignore[no-untyped-call]

    class Canvas(FigureCanvasPgf):
        def get_renderer(self) -> Renderer:
            return Renderer(self.figure, io.StringIO())  # type: ignore[no-untyped-call]

    measure = RendererAgg(1, 1, figure.dpi)  # type: ignore[no-untyped-call]
    file = io.StringIO()
    width, height = figure.get_size_inches()
    try:
        figure.set_canvas(Canvas(figure))
        figure.draw(Renderer(figure, file))  # type: ignore[no-untyped-call]
    finally:
        figure.set_canvas(FigureCanvasAgg(figure))
    box = rf"\pgfpathrectangle{{\pgfpointorigin}}{{\pgfqpoint{{{width:f}in}}{{{height:f}in}}}}%"
    picture = ["\\begin{pgfpicture}%", box, r"\pgfusepath{use as bounding box, clip}%"]
    body = "\n".join(picture) + "\n" + file.getvalue() + "\\end{pgfpicture}%\n"
    return (_HEAD + body + _TAIL).encode("utf-8", "replace")
