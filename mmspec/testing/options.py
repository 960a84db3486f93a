"""What all plugins promise: a frozen attrs class with documented options, in a module without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from typing import TypeVar

import attrs

from mmspec.plugins.api import Plugin
from mmspec.plugins.registry import KINDS
from mmspec.spec.structure import fields
from mmspec.testing.claims import claim, works

PluginT = TypeVar("PluginT", bound=Plugin)


def check_options(plugin: Plugin) -> None:
    """Check what plugins of all kinds promise; the other checks call this first."""
    cls = type(plugin)
    name = cls.__name__
    kind = getattr(cls, "kind", None)
    claim(kind in KINDS, f"{name} is of no kind of plugin; derive it from a class of mmspec.plugins.api")
    base = KINDS[str(kind)]
    claim(issubclass(cls, base), f"{name} says it is a {kind}, but does not derive from {base.__name__}")
    decorated = "__attrs_attrs__" in vars(cls) and _is_frozen(plugin)
    claim(decorated, f"{name} is not decorated with @attrs.frozen(kw_only=True)")
    doc = (cls.__doc__ or "").strip()
    claim(doc, f"{name} has no docstring; its first line is what `mmspec plugins list` prints")
    for option, field in works(f"reading the options of {name}", fields, cls).items():
        claim(field.kw_only, f"option {option} of {name} can be given by position; use kw_only=True")
        claim(field.metadata.get("help"), f"option {option} of {name} has no help; declare it with option(…)")
    claim(
        _imports_without_torch(cls.__module__),
        f"importing {cls.__module__} imports torch: import it inside the building method, so that checking "
        "a spec stays fast",
    )


def _is_frozen(plugin: Plugin) -> bool:
    try:
        plugin.kind = plugin.kind  # type: ignore[misc]
    except attrs.exceptions.FrozenInstanceError:
        return True
    except AttributeError:
        return False
    return False


@cache
def _imports_without_torch(module: str) -> bool:
    """Whether a fresh Python still has no torch after importing `module`.

    True where it cannot import it, and for test modules, whose classes no spec can name.
    """
    if module.rpartition(".")[2].startswith("test_"):
        return True
    code = f"import sys, {module}; sys.exit(3 if 'torch' in sys.modules else 0)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    return run.returncode != 3


def variants(plugin: PluginT) -> list[tuple[str, PluginT]]:
    """The plugin with one option changed at a time, as far as whole numbers can be: (option, plugin)."""
    changed = []
    for option, field in fields(type(plugin)).items():
        value = getattr(plugin, option)
        if field.type is int:
            try:
                changed.append((option, attrs.evolve(plugin, **{option: value + 1})))
            except ValueError:
                continue
    return changed
