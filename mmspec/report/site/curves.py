"""The curves of a run: a chart for each metric of each stage, and the numbers as a table."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping

import attrs

from mmspec.plugins.recorded import RecordedRow, RecordedRun
from mmspec.report.formats.html_text import escape
from mmspec.report.site.chart import Line, describe, draw_chart, key_of
from mmspec.report.site.frame import folded, lead, number, table

#: At most so many rows stand in a table of numbers.
_ROWS = 40
#: Looks of lines, by split; further splits take further ones.
_LOOKS = {"train": 0, "val": 1}


@attrs.define
class Series:
    """The values of one metric on one split, by step."""

    xs: array[float] = attrs.field(factory=lambda: array("d"))
    ys: array[float] = attrs.field(factory=lambda: array("d"))
    lost: int = 0

    def add(self, x: float, y: float) -> None:
        """Another value; one that is no finite number is only counted."""
        if math.isfinite(y):
            self.xs.append(x)
            self.ys.append(y)
        else:
            self.lost += 1


@attrs.define
class Thinned:
    """Rows, of which at most twice `_ROWS` are kept, evenly, and always the last."""

    kept: list[RecordedRow] = attrs.field(factory=list)
    last: RecordedRow | None = None
    every: int = 1
    seen: int = 0

    def add(self, row: RecordedRow) -> None:
        """Another row."""
        if self.seen % self.every == 0:
            self.kept.append(row)
            if len(self.kept) > 2 * _ROWS:
                self.kept = self.kept[::2]
                self.every *= 2
        self.seen += 1
        self.last = row

    def rows(self) -> list[RecordedRow]:
        """Those that are shown."""
        more = [self.last] if self.last is not None and self.last is not self.kept[-1] else []
        return [*self.kept, *more]


@attrs.define
class StageCurves:
    """What one stage recorded, by kind of row: series by `split/metric`, and some of the rows."""

    series: dict[str, dict[str, Series]] = attrs.field(factory=lambda: {"step": {}, "epoch": {}})
    rows: dict[str, Thinned] = attrs.field(factory=lambda: {"step": Thinned(), "epoch": Thinned()})
    ends: dict[int, int] = attrs.field(factory=dict)

    def add(self, row: RecordedRow) -> None:
        """Another row."""
        known = self.series[row.kind]
        for name, value in row.values.items():
            series = known.get(name)
            if series is None:
                series = known[name] = Series()
            series.add(row.step, value)
        self.rows[row.kind].add(row)
        if row.kind == "epoch":
            self.ends[row.epoch] = row.step

    def metrics(self) -> Iterator[tuple[str, dict[str, Series]]]:
        """Each metric with its series by split: those of steps where there are any, else those of epochs."""
        found: dict[str, dict[str, Series]] = {}
        for kind in ("epoch", "step"):
            for name, series in self.series[kind].items():
                split, _, metric = name.partition("/")
                if series.xs:
                    found.setdefault(metric, {})[split] = series
        yield from found.items()


def curves_parts(run: RecordedRun) -> list[str]:
    """The charts of a run, stage by stage, and its numbers."""
    stages: dict[str, StageCurves] = {}
    for row in run.rows():
        stages.setdefault(row.stage, StageCurves()).add(row)
    parts: list[str] = []
    for index, (name, stage) in enumerate(stages.items()):
        if len(stages) > 1:
            parts.append(f"<h3>Stage {escape(name)}</h3>")
        selected = run.stages.get(name, {}).get("selected")
        parts += _stage(f"c{index}", stage, selected if isinstance(selected, Mapping) else None)
    return parts


def _stage(prefix: str, stage: StageCurves, selected: Mapping[str, object] | None) -> list[str]:
    epoch = selected.get("epoch") if selected else None
    step = stage.ends.get(epoch) if isinstance(epoch, int) else None
    mark = None if step is None else (float(step), f"Selected checkpoint: epoch {epoch},")
    charts, constant = [], []
    for index, (metric, by_split) in enumerate(stage.metrics()):
        lines = _lines(by_split)
        values = {y for line in lines for y in (min(line.ys), max(line.ys))}
        if len(values) == 1 and sum(len(line.xs) for line in lines) > 1:
            constant.append(f"<code>{escape(metric)}</code>&nbsp;{number(values.pop())}")
        elif lines:
            charts.append(_figure(f"{prefix}-{index}", metric, lines, mark))
    marked = " The upright line is the selected checkpoint." if mark else ""
    said = lead(f"By optimizer step.{marked}") if charts else ""
    always = lead(f"The same throughout: {', '.join(constant)}.") if constant else ""
    return [said, f'<div class="charts">{"".join(charts)}</div>' if charts else "", always, _numbers(stage)]


def _lines(by_split: Mapping[str, Series]) -> list[Line]:
    free = iter(range(2, 6))
    return [
        Line(split, _LOOKS[split] if split in _LOOKS else next(free, 5), series.xs, series.ys, series.lost)
        for split, series in sorted(by_split.items(), key=lambda item: _LOOKS.get(item[0], 9))
    ]


def _figure(name: str, metric: str, lines: list[Line], mark: tuple[float, str] | None) -> str:
    title = f"{metric} by step: {', '.join(line.label for line in lines)}"
    keys = "".join(map(key_of, lines))
    notes = [line for line in lines if line.is_cut or line.lost]
    said = f"<small>{escape(describe(notes))}</small>" if notes else ""
    return (
        f'<figure class="curve"><figcaption><code>{escape(metric)}</code> {keys}{said}</figcaption>'
        f"{draw_chart(name, title, lines, mark)}</figure>"
    )


def _numbers(stage: StageCurves) -> str:
    """The rows as a table, in place of the charts for those who cannot see them."""
    kind = "epoch" if stage.rows["epoch"].seen else "step"
    thinned = stage.rows[kind]
    if not thinned.seen:
        return ""
    rows = thinned.rows()
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    which = "all rows" if len(rows) == thinned.seen else f"{len(rows)} of {thinned.seen:,} rows"
    inside = table(
        f"Metrics by {kind}, {which}",
        ["epoch", "step", *names],
        _table_rows(rows, names),
        classes="runs digits",
    )
    return folded(f"Numbers by {kind}", inside)


def _table_rows(rows: Iterable[RecordedRow], names: list[str]) -> Iterator[str]:
    for row in rows:
        cells = "".join(f"<td>{number(row.values[n]) if n in row.values else ''}</td>" for n in names)
        yield f'<tr><th scope="row">{row.epoch}</th><td>{row.step}</td>{cells}</tr>'
