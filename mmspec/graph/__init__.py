"""Typed spec and plugins → the training graph: what is connected to what, with every shape.

The names here are looked up on first use, since building a graph needs torch and telling a run's identity,
or how two plans differ, does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmspec.graph.graph import Edge, Graph, Node, build_graph

__all__ = ["Edge", "Graph", "Node", "build_graph"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mmspec.graph import graph

        return getattr(graph, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
