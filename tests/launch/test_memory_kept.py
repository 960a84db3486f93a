"""What a run's process frees it keeps for the next step."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

TOUCHED = """
import resource, sys
import numpy as np
from mmspec.launch.child import keep_freed_memory

def faults(megabytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        arrays = [np.ones(megabytes << 17) for _ in range(3)]
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "kept":
    keep_freed_memory()
faults(40)
print(faults(40))
"""


def faults(which):
    done = subprocess.run([sys.executable, "-c", TOUCHED, which], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_memory_is_not_mapped_anew():
    assert faults("kept") < 100 < faults("given back")
