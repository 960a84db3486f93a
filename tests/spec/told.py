"""What mmspec says about the mistaken specs in `mistakes/`.

`NAME.toml` is the spec, `NAME.txt` what is said. Lines of the spec that begin with `#: set` are overrides,
with `#: env` environment variables. Specs that begin with `_` are only there to be extended.
"""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import attrs
from toy_plugins import REGISTRY, Nothing

from mmspec.errors import SpecError
from mmspec.plugins.discovery import Offer
from mmspec.plugins.registry import PluginRecord, Registry
from mmspec.plugins.resolve import resolve
from mmspec.spec.load import read_document

FOLDER = Path(__file__).parent / "mistakes"


@attrs.frozen(kw_only=True)
class Failing(Nothing):
    """A strategy whose own check fails."""

    def mistakes(self, outline):
        raise KeyError("gray")


def _registry() -> Registry:
    broken = Offer("objective", "broken", "no_such_module:Loss", "toy-losses", "2.1")
    record = PluginRecord(
        broken.kind, broken.name, broken.target, broken.distribution, broken.version, broken
    )
    given = REGISTRY.with_plugins({("balancing", "failing"): Failing})
    return Registry({**given.records, ("objective", "broken"): (record,)})


def cases() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml") if not path.stem.startswith("_"))


def told(case: str) -> str:
    """The whole message for one case."""
    path = Path(f"{case}.toml")
    lines = (FOLDER / path).read_text(encoding="utf-8").splitlines()
    overrides = [line.removeprefix("#: set ") for line in lines if line.startswith("#: set ")]
    variables = dict(line.removeprefix("#: env ").split("=") for line in lines if line.startswith("#: env "))
    before = Path.cwd()
    os.chdir(FOLDER)
    try:
        with patch.dict(os.environ, variables, clear=True):
            plans = resolve(read_document(path, overrides), _registry())
    except SpecError as error:
        return f"{error}\n"
    finally:
        os.chdir(before)
    raise AssertionError(f"{case}: nothing is wrong with it, it makes {len(plans)} runs")
