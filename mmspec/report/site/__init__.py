"""A report as a static site: an overview, a page for each run, and a page that compares two of them.

It is opened from disk, without any network. Pages are complete without scripts, but for the comparison.
"""

from __future__ import annotations

from mmspec.report.site.build import write_site

__all__ = ["write_site"]
