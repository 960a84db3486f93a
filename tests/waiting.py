"""Waiting for what another process or thread does, however long that takes on a busy machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Until `condition` holds; `process` must be alive until then."""
    end = time.monotonic() + 60
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
