"""`mmspec report --site` on runs as they are really recorded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mmspec.cli import cli

REPORT = """\
mmspec = 1
title = "Tiny"
runs = ["tiny"]
rows = { by = "variant" }
[[tables]]
title = "Accuracy"
columns = [{ label = "val", value = "val/accuracy" }]
"""


@pytest.fixture
def there(lab: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with finished runs and a report on them."""
    shutil.copytree(lab[0].folder / "runs", tmp_path / "runs")
    (tmp_path / "report.toml").write_text(REPORT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ("report", "report.toml", *arguments))
    assert result.exit_code == code, result.output
    return result.output


def test_the_site_of_real_runs(there: Path) -> None:
    said = invoke("--site", "site")
    assert "wrote a site of 2 runs: 9 of 9 files new or changed" in said
    assert f"open it: {(there / 'site' / 'index.html').as_uri()}" in said
    assert "0 of 9 files new or changed" in invoke("--site", "site")
    (page,) = (there / "site" / "runs").glob("guided-*.html")
    text = page.read_text()
    (source,) = (there / "runs" / "tiny" / page.stem / "source").glob("*.toml")
    lines = source.read_text().splitlines()
    for key, value, line in (("batch_size", "256", "batch_size = 256"), ("start_epoch", "1", lines[-1])):
        where = f'<a href="#w0-{lines.index(line) + 1}">'
        assert f"<code>{key}</code></th><td><code>{value}</code></td><td>{where}" in text
    assert "<td><code>&quot;constant&quot;</code></td><td>default</td>" in text
    assert 'aria-label="Training graph of stage train"' in text
    assert "accuracy by step: " in text
    assert 'href="../../runs/tiny/guided-' in text


def test_a_site_is_written_alone_and_into_a_folder_of_its_own(there: Path) -> None:
    assert "--site writes a site alone" in invoke("--site", "site", "--format", "json", code=2)
    assert "a site needs a folder of its own" in invoke("--site", "runs", code=2)
    assert not (there / "runs" / "index.html").exists()
