"""Text in LaTeX: set letter by letter, by pdflatex with the fonts of T1, and more by xelatex and lualatex."""

from __future__ import annotations

import re
import unicodedata

from mmspec.report.text import Code, Link, Sentence, one_line

LETTERS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}", "±": r"$\pm$", "−": "$-$", "–": "--", "—": "---", "†": r"\dag{}",
    "·": r"$\cdot$", "×": r"$\times$", "÷": r"$\div$", "…": r"\ldots{}", "“": "``", "”": "''",
    "‘": "`", "’": "'", "°": r"$^\circ$", "\ufffd": "?", "\u00a0": "~",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\to$", "←": r"$\leftarrow$", "≤": r"$\leq$",
    "≥": r"$\geq$", "≠": r"$\neq$", "≈": r"$\approx$", "∞": r"$\infty$", "∈": r"$\in$", "√": r"$\surd$",
    # These would be read as an argument of the \\ before them.
    "[": "{[}", "]": "{]}", "*": "{*}",
    # A hyphen in braces never joins its neighbour to a dash.
    "-": "{-}",
}  # fmt: skip
LETTERS |= {digit: f"$^{index}$" for index, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
LETTERS |= {digit: f"$_{index}$" for index, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")}

_GREEK = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "o", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
]  # fmt: skip
#: The capitals that look like Latin ones have no command of their own.
_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True))
LETTERS |= {chr(0x3B1 + index): f"$\\{name}$" for index, name in enumerate(_GREEK) if name != "o"}
LETTERS |= {capital: f"$\\mathrm{{{latin}}}$" for capital, latin in _LATIN.items()}
LETTERS |= {
    chr(0x391 + index): f"$\\{name.capitalize()}$"
    for index, name in enumerate(_GREEK)
    if name != "varsigma" and chr(0x391 + index) not in _LATIN
}
LETTERS |= {"ο": "o", "µ": r"$\mu$"}

#: What the fonts of T1 have beside ASCII: letters of western and central Europe.
_EUROPEAN = (
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ¡¿§£«»"
    "ĂăĄąĆćČčĎďĐđĘęĚěĞğĹĺĽľŁłŃńŇňŐőŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽžŒœŊŋİ"
)
_TO_ESCAPE = re.compile("|".join(map(re.escape, LETTERS)) + rf"|[^\x00-\x7f{_EUROPEAN}]")

#: The command that `escape` sets other letters by; to stand once before all text.
OTHER_LETTERS = r"\providecommand\mmspecother[1]{\ifdefined\Umathcode#1\else?\fi}"

#: What fits on half a line.
_LONGEST = 40
#: A slash of an address: the line may break behind it.
_BREAK = r"/\allowbreak{}"


def escape(text: str) -> str:
    """`text` so that LaTeX sets it letter by letter, on one line.

    Letters that pdflatex has no fonts for are set by xelatex and lualatex alone; pdflatex sets a question
    mark.
    """
    return _TO_ESCAPE.sub(_letter, unicodedata.normalize("NFC", one_line(text)))


def _letter(found: re.Match[str]) -> str:
    letter = found.group()
    return LETTERS.get(letter, rf"\mmspecother{{{letter}}}")


def short(text: str, limit: int = 100) -> str:
    """`text` for a cell, a head or a caption: TeX cannot measure lines of several metres."""
    line = one_line(text)
    return escape(line if len(line) <= limit else line[: limit - 1].rstrip() + "…")


def running(text: str) -> str:
    """`text` for a paragraph: a word that is longer than half a line may break anywhere."""
    return " ".join(map(_breakable, one_line(text).split(" ")))


def _breakable(word: str) -> str:
    parts = [word[at : at + _LONGEST] for at in range(0, len(word), _LONGEST)]
    return r"\allowbreak{}".join(map(escape, parts))


def sentence(note: Sentence) -> str:
    """A note; code in a fixed-width face."""
    return "".join(map(_part, note))


def _part(part: str | Code) -> str:
    if not isinstance(part, Code):
        return running(part)
    text = running(part.text)
    return rf"\texttt{{{text.replace('/', _BREAK) if isinstance(part, Link) else text}}}"


def comment(note: Sentence) -> str:
    """A note for those who read the source."""
    return "% " + "".join(one_line(part.text if isinstance(part, Code) else part) for part in note)
