from __future__ import annotations

from pathlib import Path

import pytest

SPEC = """\
mmspec = 1
name = "tiny"
seeds = [0, 1]

[dataset]
use = "colored_digits"

[modalities.grey]
backbone = "small_cnn"
[modalities.color]
backbone = "small_cnn"

[fusion]
use = "mmtm"
at = ["conv3"]

[optimizer]
use = "sgd"
lr = 0.05

[train]
epochs = 2
batch_size = 256
threads = 1
device = "cpu"

[select]
metric = "val/accuracy"

[[variants]]
name = "none"
[[variants]]
name = "guided"
balancing = { use = "guided", start_epoch = 1 }
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec of four runs, in a folder of its own."""
    path = tmp_path / "tiny.toml"
    path.write_text(SPEC)
    return path
