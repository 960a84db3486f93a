"""Runs as rows: the numbers of an experiment for loops, pandas and polars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from mmspec.errors import Problem, RecordError, ReportError
from mmspec.plugins.recorded import Kind, RecordedRun
from mmspec.plugins.registry import Registry, default_registry
from mmspec.report.definition import Scalar
from mmspec.report.runs.groups import check_names
from mmspec.report.runs.selection import LeftOut, Reason, Selection, experiments, matches, said
from mmspec.report.runs.sources import is_name, read_sources
from mmspec.rows import Row, Rows
from mmspec.spec.words import listed, show, suggestion

#: A run that becomes a row, and why a report would leave it out.
_Wanted = tuple[RecordedRun, str | None]

_FIRST = ("experiment", "run", "seed", "status", "left_out")
_LAST = ("seconds", "address", "spec_hash")


class RunRows(Rows):
    """One row for each run. `runs` are the runs behind them, in the same order.

    `left_out` are runs that are not among the rows, each with the reason; `problems` are folders that
    cannot be read; `remarks` is what the sources have to say.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        keys: Iterable[str],
        *,
        runs: Sequence[RecordedRun],
        left_out: Sequence[LeftOut],
        problems: Sequence[Problem],
        remarks: Sequence[str],
    ) -> None:
        super().__init__(rows, keys, hidden=("run", "address", "spec_hash"))
        self.runs, self.left_out = tuple(runs), tuple(left_out)
        self.problems, self.remarks = tuple(problems), tuple(remarks)

    @property
    def summary(self) -> str:
        """How many runs of what, and what is not among them."""
        names = listed(sorted({run.experiment for run in self.runs}))
        said = [f"{len(self)} {'run' if len(self) == 1 else 'runs'}" + (f" of {names}" if names else "")]
        if self.left_out:
            reasons = Counter(left.reason for left in self.left_out)
            said.append(f"left out: {', '.join(f'{count} {reason}' for reason, count in reasons.items())}")
        if self.problems:
            said.append(f"cannot be read: {len(self.problems)}")
        return "; ".join([*said, *self.remarks])

    def curves(self, metric: str, *more: str, per: Kind = "step", stage: str | None = None) -> Rows:
        """What was recorded while these runs trained: a row for each run, step and metric.

        Keys: experiment, run, seed, the labels, stage, step, epoch, metric, value. `per` chooses between the
        rows of steps and those of epochs, `stage` one of several stages.

        Raises:
            ReportError: no run recorded one of the metrics.
            RecordError: a row is damaged.
        """
        metrics = (metric, *more)
        labels = dict.fromkeys(_label_key(name) for run in self.runs for name in run.labels)
        keys = ("experiment", "run", "seed", *labels, "stage", "step", "epoch", "metric", "value")
        rows = Rows((row for run in self.runs for row in _curve(run, metrics, per, stage)), keys)
        absent = set(metrics) - {row["metric"] for row in rows}
        if self.runs and absent:
            raise _no_such_rows(sorted(absent), self.runs, per)
        return rows


def load_runs(
    *sources: str | Path,
    runs: str | Path = "runs",
    where: Mapping[str, Scalar] | None = None,
    include: Collection[Reason] | Reason | Literal["all"] = (),
    spec: Collection[str] | str | bool = (),
    provenance: Collection[str] | str = (),
    refresh: bool = False,
    registry: Registry | None = None,
) -> RunRows:
    """The runs of these sources that would enter a report, a row for each: labels and final metrics.

    `sources` are what `runs` of a report takes: names or patterns of experiments under the folder `runs`,
    folders (with a slash, or a Path), or addresses such as `wandb://entity/project`; without any, all
    experiments under `runs`.

    `where` takes runs with these labels or keys of their spec. `include` takes in runs that a report leaves
    out, by the reason, or all of them; a column `left_out` tells them apart. `spec` adds keys of the spec
    (`["optimizer.lr"]`), or all of them. `provenance` adds what is known of how a run was made
    (`["created", "git.commit"]`). `refresh` asks services again for what is in the cache.

    Raises:
        ReportError: there are no such runs, or no run has a label or key that is named.
    """
    reasons = _reasons(include)
    patterns = [_pattern(source) for source in sources] or ["*"]
    found = read_sources(
        patterns, Path(runs), beside=Path(), registry=registry or default_registry(), refresh=refresh
    )
    if not found.all_runs and not found.problems:
        raise _no_runs(patterns, Path(runs))
    where = where or {}
    named = () if isinstance(spec, bool) else _several(spec)
    facts = _several(provenance)
    check_names((*where, *named), found)
    wanted, left_out = _chosen(found, where, reasons)
    problems = list(found.problems)
    rows = [
        _row(run, reason, named, all_keys=spec is True) | known
        for (run, reason), known in zip(wanted, _facts(wanted, facts, problems), strict=True)
    ]
    keys = _keys(rows, [run for run, _ in wanted], (*named, *facts), with_reason=bool(include))
    return RunRows(
        rows,
        keys,
        runs=[run for run, _ in wanted],
        left_out=left_out,
        problems=problems,
        remarks=found.remarks,
    )


# ---------------------------------------------------------------- which runs


def _pattern(source: str | Path) -> str:
    """A source as a report names it; a Path is a folder, even if it has no slash."""
    if isinstance(source, Path) and not source.is_absolute():
        return f"./{source}"
    return str(source)


def _several(names: Collection[str] | str) -> tuple[str, ...]:
    """The names; one may be given by itself."""
    return (names,) if isinstance(names, str) else tuple(names)


def _reasons(include: Collection[Reason] | Reason | Literal["all"]) -> Collection[str]:
    known = get_args(Reason)
    if include == "all":
        return known
    wanted = _several(include)
    for reason in wanted:
        if reason not in known:
            raise ReportError(
                f"include: no run is left out because it is {show(reason)}",
                hint=suggestion(reason, known, of="reasons"),
            )
    return wanted


def _no_runs(patterns: Sequence[str], root: Path) -> ReportError:
    """What was looked for, and what there is."""
    what = f"there are no runs of {', '.join(patterns)}"
    if not any(map(is_name, patterns)):
        return ReportError(what)
    there = listed(folder.name for folder in experiments(root))
    hint = f"there are runs of: {there}" if there else "`runs` names the folder of experiments"
    return ReportError(f"{what} under {root}", hint=hint)


def _chosen(
    found: Selection, where: Mapping[str, Scalar], reasons: Collection[str]
) -> tuple[list[_Wanted], list[LeftOut]]:
    """The runs that become rows, and the others."""
    wanted: list[_Wanted] = [(run, None) for run in found.runs if matches(run, where)]
    left_out = [left for left in found.left_out if matches(left.run, where)]
    wanted += [(left.run, left.reason) for left in left_out if left.reason in reasons]
    return wanted, [left for left in left_out if left.reason not in reasons]


# ---------------------------------------------------------------- a row


def _row(run: RecordedRun, reason: str | None, named: Sequence[str], *, all_keys: bool) -> Row:
    """A run's row. Who the run is goes before its labels, those before metrics and keys of the same name."""
    values = {name: float(value) for name, value in run.values.items()}
    keys = {name: said(run, name) for name in named} | (_flat_spec(run) if all_keys else {})
    return {**keys, **values, **_labels(run), **_about(run, reason)}


def _about(run: RecordedRun, reason: str | None) -> Row:
    """Who the run is, and where."""
    spec_hash = run.identity["spec_hash"]
    first: Row = dict(zip(_FIRST, (run.experiment, run.id, run.seed, run.status, reason), strict=True))
    return first | dict(zip(_LAST, (run.seconds, run.address, spec_hash), strict=True))


def _labels(run: RecordedRun) -> Row:
    return {_label_key(name): value for name, value in run.labels.items()}


def _label_key(name: str) -> str:
    """The column of a label; one that is called like a column of ours says that it is a label."""
    return f"label.{name}" if name in (*_FIRST, *_LAST, "stage", "step", "epoch", "metric", "value") else name


def _keys(
    rows: Sequence[Row], runs: Sequence[RecordedRun], asked: Sequence[str], *, with_reason: bool
) -> list[str]:
    """The columns: who the run is, its labels, what was asked for, the metrics, and where it is."""
    metrics = sorted(dict.fromkeys(name for run in runs for name in run.values), key=_training_last)
    rest = dict.fromkeys(key for row in rows for key in row)
    labels = dict.fromkeys(_label_key(name) for run in runs for name in run.labels)
    first = [key for key in _FIRST if key != "left_out" or with_reason]
    spec = [
        key
        for key in rest
        if key not in {*_FIRST, *_LAST, *metrics} and any(row.get(key) is not None for row in rows)
    ]
    return [*first, *labels, *asked, *spec, *metrics, *_LAST]


def _training_last(metric: str) -> int:
    return {"train": 2, "val": 1}.get(metric.partition("/")[0], 0)


def _flat_spec(run: RecordedRun) -> Row:
    """All keys of the stage that the run is known by, dotted; those of others begin with the stage's name."""
    main = run.main_stage
    flat = dict(_flat(main, ""))
    for stage in run.spec["stages"]:
        if stage is not main:
            flat |= _flat({key: value for key, value in stage.items() if key != "name"}, f"{stage['name']}.")
    flat.pop("name", None)
    return flat


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield prefix + key, item


def _facts(wanted: Sequence[_Wanted], names: Sequence[str], problems: list[Problem]) -> list[Row]:
    """For each run what its provenance says to these dotted names; what cannot be read is a problem to tell.

    Raises:
        ReportError: no run says anything to one of the names.
    """
    if not names or not wanted:
        return [{} for _ in wanted]
    said_by: list[Row] = []
    known: dict[str, None] = {}
    for run, _ in wanted:
        try:
            flat = dict(_flat(run.provenance, ""))
        except RecordError as error:
            problems += error.problems
            flat = {}
        known |= dict.fromkeys(flat)
        said_by.append({name: flat.get(name) for name in names})
    for name in names:
        parts = name.split(".")
        if known and not any(".".join(parts[:length]) in known for length in range(1, len(parts) + 1)):
            hint = suggestion(name, known, of="known")
            raise ReportError(f"the provenance of no run says {show(name)}", hint=hint)
    return said_by


# ---------------------------------------------------------------- curves


def _curve(run: RecordedRun, metrics: Sequence[str], per: Kind, stage: str | None) -> Iterator[Row]:
    about = {"experiment": run.experiment, "run": run.id, "seed": run.seed, **_labels(run)}
    for row in run.rows(per, metrics, stage):
        for name, value in row.values.items():
            place = {"stage": row.stage, "step": row.step, "epoch": row.epoch}
            yield {**about, **place, "metric": name, "value": value}


def _no_such_rows(metrics: Sequence[str], runs: Sequence[RecordedRun], per: Kind) -> ReportError:
    """None of the runs recorded this, per step or per epoch; what they did record."""
    other: Kind = "epoch" if per == "step" else "step"
    there: dict[Kind, set[str]] = {per: set(), other: set()}
    for run in runs[:1]:
        for row in run.rows():
            there[row.kind] |= set(row.values)
    name = metrics[0]
    meant = f'it is recorded per {other}: per="{other}"' if name in there[other] else None
    hint = meant or suggestion(name, sorted(there[per]), of="recorded")
    return ReportError(f"no run recorded {show(name)} per {per}", hint=hint)
