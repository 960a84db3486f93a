"""Arguments and options that several commands share, and what they load."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click
from click.shell_completion import CompletionItem

from mmspec.cli.terminal import warn
from mmspec.errors import SpecError
from mmspec.launch.prepare import MissingDataError
from mmspec.plugins.plan import RunPlan
from mmspec.plugins.registry import PluginWarning, Registry, default_registry
from mmspec.plugins.resolve import resolve
from mmspec.spec.load import Document, read_document

F = TypeVar("F", bound=Callable[..., Any])


def complete_toml(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """TOML files, and folders that may hold some."""
    del ctx, param
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        text = str(path) + ("/" if path.is_dir() else "")
        if text.startswith(incomplete) and (path.is_dir() or path.suffix == ".toml"):
            found.append(CompletionItem(text))
    return found


def spec_argument(name: str = "spec") -> Callable[[F], F]:
    """A spec's path."""
    return click.argument(name, type=click.Path(path_type=Path), shell_complete=complete_toml)


set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; may be given often."
)
runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of run directories.",
)
seed_option = click.option("--seed", "seeds", type=int, multiple=True, help="Only runs with this seed.")
variant_option = click.option(
    "--variant", "variants", multiple=True, metavar="NAME", help="Only runs of this variant."
)


@attrs.frozen
class Experiment:
    """A spec as read, and the runs it stands for."""

    document: Document
    plans: tuple[RunPlan, ...]

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.plans[0].experiment


def open_registry() -> Registry:
    """All installed plugins; distributions that cannot be read are warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        registry = default_registry()
    for problem in registry.problems:
        warn(problem)
    return registry


def load_experiment(spec: Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read and resolve a spec.

    Raises:
        SpecError: all its mistakes.
    """
    document = read_document(spec, overrides)
    return Experiment(document, resolve(document, open_registry()))


@contextmanager
def offering_smoke(spec: Path) -> Iterator[None]:
    """Where data of a dataset are missing, say that there is a way without them."""
    try:
        yield
    except MissingDataError as error:
        error.add_note(
            f"Without these data: `mmspec run {spec} --smoke` tries the whole path on a small stand-in."
        )
        raise


def choose(
    plans: Sequence[RunPlan], seeds: Sequence[int] = (), variants: Sequence[str] = ()
) -> tuple[RunPlan, ...]:
    """The plans with these seeds and variants; all where none are named.

    Raises:
        SpecError: a name that no run has.
    """
    _require(seeds, [plan.seed for plan in plans], "seed")
    _require(variants, [plan.labels["variant"] for plan in plans if "variant" in plan.labels], "variant")
    chosen = tuple(
        plan
        for plan in plans
        if (not seeds or plan.seed in seeds) and (not variants or plan.labels["variant"] in variants)
    )
    if not chosen:
        raise SpecError("no run has both this seed and this variant")
    return chosen


def _require(wanted: Sequence[object], there: Sequence[object], what: str) -> None:
    for value in wanted:
        if value not in there:
            known = ", ".join(str(each) for each in dict.fromkeys(there)) or "none"
            raise SpecError(f"no run has the {what} {value!r}", hint=f"{what}s of this spec: {known}")
