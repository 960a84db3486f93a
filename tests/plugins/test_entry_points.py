"""What pyproject.toml registers is what the first-party plugin modules define, documented and light."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
import tomli

from mmspec.plugins.api import Plugin
from mmspec.plugins.discovery import discover

ROOT = Path(__file__).parents[2]
PACKAGES = ("mmspec_greedy", "mmspec_modnet", "mmspec_neural", "mmspec_torch")
#: The modules of a first-party package that may define plugins, and their kinds.
KINDS = {
    "datasets": "dataset",
    "modelnet40": "dataset",
    "nvgesture": "dataset",
    "backbones": "backbone",
    "image_backbones": "backbone",
    "fusions": "fusion",
    "strategies": "balancing",
    "objectives": "objective",
    "optimizers": "optimizer",
    "schedules": "schedule",
    "metrics": "metric",
    "analyses": "analysis",
}
#: Values for options without default.
SOME_VALUES = {
    "root": Path("somewhere"),
    "positive": ("cat",),
    "negative": ("dog",),
    "lr": 0.1,
    "step_size": 2,
    "gamma": 0.5,
    "milestones": (1, 2),
}


def registered() -> dict[str, tuple[str, str]]:
    """{target: (kind, name)} of all entry points that lie in plugin packages."""
    groups = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    return {
        target: (group.removeprefix("mmspec."), name)
        for group, entries in groups.items()
        for name, target in entries.items()
        if group.startswith("mmspec.") and target.startswith(PACKAGES)
    }


def definition_modules() -> list[str]:
    return [
        f"{package}.{module}"
        for package in PACKAGES
        for module in KINDS
        if (ROOT / "plugins" / package / f"{module}.py").exists()
    ]


def defined() -> dict[str, type[Plugin]]:
    """{target: class} of all plugins that definition modules define."""
    found = {}
    for name in definition_modules():
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            if (
                inspect.isclass(value)
                and issubclass(value, Plugin)
                and value.__module__ == name
                and not inspect.isabstract(value)
                and not _is_shared_base(value, module)
            ):
                found[f"{name}:{attribute}"] = value
    return found


def _is_shared_base(candidate: type, module: object) -> bool:
    """Whether a class is there for others of its module, and lacks something itself (ResNet's `network`)."""
    missing = [n for n in inspect.get_annotations(candidate) if not hasattr(candidate, n)]
    declared = {field.name for field in attrs.fields(candidate)}
    return any(name not in declared for name in missing)


def test_registered_is_defined():
    assert set(registered()) == set(defined())


def test_plugin_modules_hold_one_kind():
    for target, (kind, _) in registered().items():
        module = target.partition(":")[0].rpartition(".")[2]
        assert KINDS[module] == kind == defined()[target].kind


@pytest.mark.parametrize("target", sorted(registered()))
def test_plugins_are_frozen_and_explained(target):
    plugin = defined()[target]
    assert attrs.has(plugin)
    assert plugin.__doc__
    assert len(inspect.cleandoc(plugin.__doc__).splitlines()[0]) <= 110
    assert plugin.__doc__ != next(base.__doc__ for base in plugin.__mro__[1:] if base.__doc__)
    for field in attrs.fields(plugin):
        text = field.metadata.get("help", "")
        assert text, f"{target}: option {field.name} has no help"
        assert not text.endswith("."), f"{target}: {field.name}"
        assert field.kw_only
    required = [field.name for field in attrs.fields(plugin) if field.default is attrs.NOTHING]
    instance = plugin(**{name: SOME_VALUES[name] for name in required})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        instance.something = 1


def test_installed_as_registered():
    offers = {
        offer.target: (offer.kind, offer.name)
        for offer in discover().offers
        if offer.target.startswith(PACKAGES)
    }
    assert offers == registered()


def test_definition_modules_import_without_torch():
    code = f"""
import importlib, sys
for name in {definition_modules()!r}:
    importlib.import_module(name)
print([m for m in ("torch", "torchvision", "sklearn", "scipy", "matplotlib", "wandb") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
