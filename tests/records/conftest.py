from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmspec.records import RunDirectory


@pytest.fixture
def spec() -> dict[str, Any]:
    stages = [{"name": "first"}, {"name": "second"}]
    return {"mmspec": 1, "name": "digits", "seed": 3, "labels": {"variant": "guided"}, "stages": stages}


@pytest.fixture
def directory(tmp_path: Path, spec: dict[str, Any]) -> RunDirectory:
    return RunDirectory.create(
        tmp_path / "runs" / "digits" / "guided-s3-00000000",
        spec=spec,
        identity={"id": "guided-s3-00000000", "spec_hash": "ab", "code": {}, "data": {}},
        sources={"digits.toml": "mmspec = 1\n"},
        provenance={"created": "now", "packages": {}},
    )
