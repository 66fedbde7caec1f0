"""Expressions of Prometheus, held against what a service exports."""

import re
from collections.abc import Iterator
from typing import Any

import promql_parser

from tests.deploy.exported import Exported

_PARTS = ("lhs", "rhs", "expr", "args", "param", "vector_selector")
_WORD = re.compile(r"[\w /-]+")


def complaints(expression: str, exported: Exported, values: frozenset[str]) -> Iterator[str]:
    """Yield a sentence for each metric, label and label's value that nobody exports; one if it does not parse."""
    try:
        nodes = list(_walk(promql_parser.parse(expression)))
    except ValueError as error:
        yield f"does not parse: {error}"
        return
    known: set[str] = set()
    for node in nodes:
        if isinstance(node, promql_parser.VectorSelector):
            yield from _of_selector(node, exported, values)
            known |= exported.get(node.name, set())
    for node in nodes:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            yield from (f"no label {label} to aggregate by" for label in set(node.modifier.labels) - known)


def _of_selector(node: Any, exported: Exported, values: frozenset[str]) -> Iterator[str]:
    labels = exported.get(node.name)
    if labels is None:
        yield f"no metric {node.name}"
        return
    for matcher in node.matchers.matchers:
        if matcher.name not in labels:
            yield f"{node.name} has no label {matcher.name}"
        told = (value for value in matcher.value.split("|") if _WORD.fullmatch(value))
        yield from (f"{matcher.name} is never {value}" for value in told if value not in values)


def labels_of(expression: str, exported: Exported) -> set[str]:
    """Return the labels that the result may have."""
    nodes = list(_walk(promql_parser.parse(expression)))
    kept = [node for node in nodes if isinstance(node, promql_parser.AggregateExpr)]
    if kept:
        return {label for node in kept if node.modifier is not None for label in node.modifier.labels}
    return {label for node in nodes if hasattr(node, "matchers") for label in exported.get(node.name, ())}


def _walk(node: Any) -> Iterator[Any]:
    yield node
    for part in _PARTS:
        below = getattr(node, part, None)
        for one in below if isinstance(below, list) else [below]:
            if one is not None:
                yield from _walk(one)
