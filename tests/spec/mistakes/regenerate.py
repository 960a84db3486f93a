"""Write what every mistake in this folder is told as: `python tests/spec/mistakes/regenerate.py`.

Then read the difference: these texts are what users get. No test runs this.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from told import FOLDER, cases, told

for case in cases():
    (FOLDER / f"{case}.txt").write_text(told(case), encoding="utf-8")
