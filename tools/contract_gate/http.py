"""Whether every HTTP client of a release still gets what it got.

What an operation takes, and what it answers, are written as one schema each. So the rules are those of messages: the
clients of a release write its requests and read its answers.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.contract_gate.containment import Schema, changed_defaults, complaints, properties_of, whole
from tools.contract_gate.release import Document, Release

_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_FAILURES: Final = re.compile(r"[45]..|default")


def http_breaks(old: Release, new: Release) -> Iterator[str]:
    """Give a sentence for each request of a client of `old` that is refused now, or answered as it cannot read."""
    for document in (name for name in old.api if name.endswith(".openapi")):
        if document not in new.api:
            yield f"{document}: {old.name} has it, {new.name} has not"
            continue
        was, now = whole(old.api[document]), whole(new.api[document])
        known = {(path, method): one for path, method, one in _operations(now)}
        for path, method, operation in _operations(was):
            place = f"{document}: {method.upper()} {path}"
            if (path, method) not in known:
                yield f"{place} is gone"
                continue
            other = known[path, method]
            before, after = operation.get("security", []), other.get("security", [])
            if after != before and after and not all(way in after for way in before or [{}]):
                yield f"{place}: who may ask changed from {before or 'anybody'} to {after}"
            requests = _request(operation), _request(other)
            for sentence in [*complaints(*requests), *changed_defaults(*requests)]:
                yield f"{place}: what clients send is refused, or means something else: {sentence}"
            for sentence in complaints(_answers(other), _answers(operation)):
                yield f"{place}: clients of then do not read what is answered: {sentence}"


def _operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in methods.keys() & _METHODS:
            yield re.sub(r"\{.*?\}", "{}", path), method, methods[method]


def _request(operation: dict[str, Any]) -> Schema:
    """Return the parameters, and the kinds of bodies, as one object that holds nothing else.

    Parameters in the path go by their place, since a client does not see their names.
    """
    parts, required, placed = dict[str, Schema](), list[str](), 0
    for parameter in operation.get("parameters", []):
        name = parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]
        if parameter["in"] == "path":
            placed += 1
            name = str(placed)
        parts[f"{parameter['in']} {name}"] = parameter["schema"]
        required += [f"{parameter['in']} {name}"] * parameter.get("required", False)
    if body := operation.get("requestBody"):
        kinds = _schemas(body["content"])
        parts["body"] = {"type": "object", "properties": kinds, "additionalProperties": False}
        required += ["body"] * body.get("required", False)
    return {"type": "object", "properties": parts, "required": required, "additionalProperties": False}


def _answers(operation: dict[str, Any]) -> Schema:
    """Return the answers by status as one object, to which more may be added, and of whose failures any may go."""
    answers = {status: _answer(status, answer) for status, answer in operation["responses"].items()}
    return _object(answers, [status for status in answers if not _FAILURES.fullmatch(status)])


def _answer(status: str, answer: dict[str, Any]) -> Schema:
    kinds = _schemas(answer.get("content", {}))
    if _FAILURES.fullmatch(status):
        # Codes are added as reasons are: a client takes one that it does not know for its status.
        kinds = {kind: _object({name: {} for name in properties_of(one)[1]}) for kind, one in kinds.items()}
    return _object({"headers": _object(_schemas(answer.get("headers", {}))), "content": _object(kinds)})


def _schemas(parts: Mapping[str, Any]) -> dict[str, Schema]:
    return {name: part.get("schema", {}) for name, part in parts.items()}


def _object(properties: Mapping[str, Schema], required: list[str] | None = None) -> Schema:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names}
