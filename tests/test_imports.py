"""Imports go one way, and what is heavy or replaceable is imported in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: A package may import itself and what stands before it.
ORDER = [
    ("mmspec.errors", "mmspec.system"),
    ("mmspec.spec",),
    ("mmspec.plugins",),
    ("mmspec.graph",),
    ("mmspec.data",),
    ("mmspec.engine",),
    ("mmspec.records", "mmspec.track"),
    ("mmspec.launch",),
    ("mmspec.report",),
    ("mmspec.experiment", "mmspec.rows"),
    ("mmspec.runs", "mmspec.reports"),
    ("mmspec",),
    ("mmspec.testing",),
    ("mmspec.cli",),
    ("mmspec.__main__",),
]
#: Where alone a package may be imported: a file, or a folder.
ONLY_IN = {
    "entrypoints": "mmspec/plugins/discovery.py",
    "wandb": "mmspec/track/",
    "torchvision": "mmspec/plugins/_torchvision.py",
}
#: Packages that must be importable without torch; the working side of the plugin API needs it.
TORCH_FREE = (
    "errors",
    "spec",
    "plugins",
    "records",
    "launch",
    "cli",
    "track",
    "report",
    "experiment",
    "rows",
    "runs",
    "reports",
)
TORCH_SIDE = {f"mmspec/plugins/{name}.py" for name in ("working", "augment", "_torchvision")}
PACKAGES = ("mmspec", "plugins", "examples")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path, *, at_import_only: bool = False) -> Iterator[str]:
    """The modules a file imports, as absolute names, outside of `if TYPE_CHECKING`."""
    yield from _imports(ast.parse(path.read_text()).body, path, at_import_only)


def _imports(nodes: list[ast.stmt], path: Path, at_import_only: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            for alias in node.names:
                submodule = ROOT.joinpath(*node.module.split("."), f"{alias.name}.py")
                package = submodule.with_suffix("") / "__init__.py"
                is_module = submodule.exists() or package.exists()
                yield f"{node.module}.{alias.name}" if is_module else node.module
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        elif not (at_import_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            children = [
                child for child in ast.walk(node) if isinstance(child, ast.stmt) and child is not node
            ]
            inner = {id(c) for child in children for c in ast.walk(child) if c is not child}
            yield from _imports([c for c in children if id(c) not in inner], path, at_import_only)


def rank(module: str) -> int | None:
    """The place of a module of mmspec in the order; None for other modules."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        for place, packages in enumerate(ORDER):
            if ".".join(parts[:length]) in packages:
                return place
    return None


def own_rank(path: Path) -> int:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    found = rank(module)
    assert found is not None, f"{path}: a package that has no place in ORDER"
    return found


@pytest.mark.parametrize("path", [p for p in FILES if p.is_relative_to(ROOT / "mmspec")], ids=name_of)
def test_a_package_imports_only_what_stands_before_it(path: Path) -> None:
    own = own_rank(path)
    allowed_later = {"mmspec.cli"} if path.name == "__main__.py" else set()
    if path == ROOT / "mmspec" / "__init__.py":
        allowed_later = {"mmspec.experiment"}
    for module in imports(path):
        other = rank(module)
        assert other is None or other <= own or module in allowed_later, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", [p for p in FILES if not p.is_relative_to(ROOT / "mmspec")], ids=name_of)
def test_plugin_packages_use_the_plugin_api_only(path: Path) -> None:
    of_mmspec = {module for module in imports(path) if module.split(".")[0] == "mmspec"}
    assert of_mmspec <= {"mmspec.plugins.api"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_some_packages_are_imported_in_one_place(path: Path) -> None:
    for module in imports(path):
        place = ONLY_IN.get(module.split(".")[0], "")
        assert name_of(path).startswith(place), f"{name_of(path)} imports {module}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.relative_to(ROOT).with_suffix("").parts[1] in TORCH_FREE], ids=name_of
)
def test_torch_and_wandb_are_not_imported_to_check_a_spec(path: Path) -> None:
    if name_of(path) not in TORCH_SIDE:
        heavy = {module.split(".")[0] for module in imports(path, at_import_only=True)}
        assert not heavy & {"torch", "torchvision", "wandb"}


def test_the_walk_sees_what_is_inside_of_functions_and_branches(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import only_for_types\n"
        "try:\n    import in_try\nexcept ImportError:\n    import in_except\n"
        "def f():\n    if True:\n        import in_function\n"
        "class A:\n    import in_class\n    def g(self):\n        from in_method import x\n"
    )
    everything = {"typing", "in_try", "in_except", "in_function", "in_class", "in_method"}
    assert set(imports(path)) == everything
    assert set(imports(path, at_import_only=True)) == everything - {"in_function", "in_method"}
