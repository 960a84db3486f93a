"""Records to rows, to statistics, to tables and figures, to files."""

from __future__ import annotations

from mmspec.report.render import FORMATS, Report, default_folder, render_report

__all__ = ["FORMATS", "Report", "default_folder", "render_report"]
