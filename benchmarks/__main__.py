"""`python -m benchmarks [NAME …]`: measure and print; exit status 1 where a limit is broken."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks.accuracy import accuracy
from benchmarks.evaluation import evaluation
from benchmarks.extraction import extraction
from benchmarks.gpu import gpu
from benchmarks.layout import layout
from benchmarks.loop import digits, resnets
from benchmarks.memory import memory
from benchmarks.packed import packed
from benchmarks.paired import machine
from benchmarks.precision import precision
from benchmarks.reports import reports
from benchmarks.sit import sit
from benchmarks.site import site
from benchmarks.startup import startup
from benchmarks.svm import svm
from benchmarks.tracking import tracking
from benchmarks.video import video

ALL: dict[str, Callable[[], list[str]]] = {
    "startup": startup,
    "site": site,
    "reports": reports,
    "memory": memory,
    "digits": digits,
    "resnets": resnets,
    "layout": layout,
    "precision": precision,
    "accuracy": accuracy,
    "evaluation": evaluation,
    "extraction": extraction,
    "gpu": gpu,
    "packed": packed,
    "video": video,
    "sit": sit,
    "svm": svm,
    "tracking": tracking,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(ALL)}")
        return 2
    broken = False
    print(f"{machine()}\n{'what':<58}  ratio [min, max]       ours / theirs, medians")
    for name in names or ALL:
        for line in ALL[name]():
            print(line, flush=True)
            broken |= "BROKEN" in line
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
