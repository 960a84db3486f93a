"""Typed spec and plugins → the training graph: what is connected to what, with every shape."""

from mmspec.graph.graph import Edge, Graph, Node, build_graph

__all__ = ["Edge", "Graph", "Node", "build_graph"]
