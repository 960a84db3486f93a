"""The figures that come with mmspec. Importing them loads no matplotlib."""

from __future__ import annotations

from mmspec.report.figures.bars import Bars
from mmspec.report.figures.confusion import Confusion
from mmspec.report.figures.curves import Curves
from mmspec.report.figures.heat_map import HeatMap
from mmspec.report.figures.paired import Paired
from mmspec.report.figures.points import Points
from mmspec.report.figures.scatter import Scatter

__all__ = ["Bars", "Confusion", "Curves", "HeatMap", "Paired", "Points", "Scatter"]
