"""`mmspec diff`."""

from __future__ import annotations

from pathlib import Path

import attrs
import click
from rich.markup import escape

from mmspec.cli.help import Command
from mmspec.cli.options import choose, complete_toml, load_experiment, open_registry
from mmspec.cli.terminal import print_table, table
from mmspec.graph.diff import diff_plans, flatten
from mmspec.launch.prepare import run_label
from mmspec.plugins.plan import RunPlan
from mmspec.plugins.resolve import plan_from_json
from mmspec.records import load_run

EXAMPLE = """\
mmspec diff specs/colored_digits.toml@none specs/colored_digits.toml@guided
mmspec diff specs/colored_digits_guided.toml runs/colored_digits/guided-s0-1a2b3c4d
"""


@attrs.frozen
class _Side:
    plan: RunPlan
    label: str
    made_with: dict[str, str] | None = None


@click.command(cls=Command, example=EXAMPLE)
@click.argument("a", shell_complete=complete_toml)
@click.argument("b", shell_complete=complete_toml)
def command(*, a: str, b: str) -> None:
    """Say how the experiments A and B differ, key by key, defaults filled in.

    A and B are specs, variants of specs (SPEC@VARIANT), or run directories. Of a spec with many runs the
    first one counts. Two run directories are compared by their code and data as well.
    """
    left, right = _side(a), _side(b)
    rows = list(diff_plans(left.plan, right.plan))
    if left.made_with is not None and right.made_with is not None:
        keys = dict.fromkeys([*left.made_with, *right.made_with])
        both = [(key, left.made_with.get(key, ""), right.made_with.get(key, "")) for key in keys]
        rows += [row for row in both if row[1] != row[2]]
    if not rows:
        click.echo("no difference")
        return
    shown = table("", escape(left.label), escape(right.label))
    for row in rows:
        shown.add_row(*map(escape, row))
    print_table(shown)


def _side(named: str) -> _Side:
    if (Path(named) / "spec.json").exists():
        run = load_run(Path(named))
        made_with = flatten({key: run.identity.get(key) or {} for key in ("code", "data")})
        return _Side(plan_from_json(run.spec, open_registry()), run.id, made_with)
    path, _, variant = named.partition("@") if not Path(named).exists() else (named, "", "")
    plan = choose(load_experiment(Path(path)).plans, variants=[variant] if variant else [])[0]
    return _Side(plan, run_label(plan))
