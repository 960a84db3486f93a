"""Picking what a GraphQL query selects out of plain dicts, without a schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from graphql import parse
from graphql.language import ast


def select(query: str, data: Any, variables: Mapping[str, Any], unknown: set[str]) -> Any:
    """The part of `data` that `query` selects; what is not there is null, and its path noted in `unknown`."""
    operation, fragments, defaults = _parsed(query)
    walker = _Walker(fragments, {**defaults, **variables}, unknown)
    return walker.value(operation.selection_set, data, operation.name.value if operation.name else "?")


@lru_cache(maxsize=256)
def _parsed(query: str) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    document = parse(query)
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, ast.FragmentDefinitionNode)}
    (operation,) = (d for d in document.definitions if isinstance(d, ast.OperationDefinitionNode))
    defaults = {
        v.variable.name.value: getattr(v.default_value, "value", None)
        for v in operation.variable_definitions or ()
        if v.default_value is not None
    }
    return operation, fragments, defaults


class _Walker:
    def __init__(self, fragments: dict[str, Any], variables: dict[str, Any], unknown: set[str]) -> None:
        self._fragments, self._variables, self._unknown = fragments, variables, unknown

    def value(self, selections: Any, data: Any, path: str) -> Any:
        if isinstance(data, list | tuple):
            return [self.value(selections, item, path) for item in data]
        if selections is None or data is None:
            return data
        picked: dict[str, Any] = {}
        for field in self._fields(selections, data):
            name = field.name.value
            key, place = (field.alias or field.name).value, f"{path}.{name}"
            if name not in data:
                if name != "__typename":
                    self._unknown.add(place)
                picked.setdefault(key, None)
                continue
            found = self.value(field.selection_set, data[name], place)
            if isinstance(found, dict) and isinstance(picked.get(key), dict):
                picked[key].update(found)
            else:
                picked[key] = found
        return picked

    def _fields(self, selections: Any, data: Mapping[str, Any]) -> Iterator[Any]:
        """The fields selected of an object, those of its fragments included."""
        for node in selections.selections:
            if not self._included(node):
                continue
            if isinstance(node, ast.FieldNode):
                yield node
                continue
            spread = isinstance(node, ast.FragmentSpreadNode)
            fragment = self._fragments[node.name.value] if spread else node
            condition = fragment.type_condition.name.value if fragment.type_condition else None
            # Without a schema, only a type that differs outright keeps an inline fragment out.
            if spread or condition is None or data.get("__typename", condition) == condition:
                yield from self._fields(fragment.selection_set, data)

    def _included(self, node: Any) -> bool:
        for directive in node.directives or ():
            value = directive.arguments[0].value
            given = self._variables.get(value.name.value) if hasattr(value, "name") else value.value
            if bool(given) is not (directive.name.value == "include"):
                return False
        return True
