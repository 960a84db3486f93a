"""How long the command line takes to answer: whole processes, in alternation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.loop import SPECS
from benchmarks.paired import alternate


def startup() -> list[str]:
    """`mmspec --help` and `mmspec check` against a bare interpreter."""
    mmspec = str(Path(sys.executable).with_name("mmspec"))

    def process(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)

    def bare() -> None:
        process(sys.executable, "-c", "pass")

    helped = alternate(lambda: process(mmspec, "--help"), bare, rounds=15)
    spec = str(SPECS / "colored_digits.toml")
    checked = alternate(lambda: process(mmspec, "check", spec, "--no-meta"), bare, rounds=9)
    return [
        helped.show("mmspec --help / python -c pass", 5),
        checked.show("mmspec check --no-meta / python -c pass", None),
    ]
