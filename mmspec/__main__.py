"""`python -m mmspec`: the command line."""

from __future__ import annotations

from mmspec.cli import main

main()
