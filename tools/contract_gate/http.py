"""Whether every HTTP client of a release still gets what it got."""

import re
from collections.abc import Iterator
from typing import Any, Final

from tools.contract_gate.containment import changed_defaults, complaints, resolved
from tools.contract_gate.release import Document, Release

_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_FAILURES: Final = re.compile(r"[45]..|default")


def http_breaks(old: Release, new: Release) -> Iterator[str]:
    """Give a sentence for each request of a client of `old` that is refused now, or answered as it cannot read."""
    for document in (name for name in old.api if name.endswith(".openapi")):
        if document not in new.api:
            yield f"{document}: {old.name} has it, {new.name} has not"
            continue
        was, now = old.api[document], new.api[document]
        known = {(path, method): one for path, method, one in _operations(now)}
        for path, method, operation in _operations(was):
            place = f"{document}: {method.upper()} {path}"
            if (path, method) not in known:
                yield f"{place} is gone"
                continue
            other = known[path, method]
            for sentence in (
                *_security(operation, other),
                *_parameters(operation, other, (was, now)),
                *_body(operation, other, (was, now)),
                *_answers(operation, other, (was, now)),
            ):
                yield f"{place}: {sentence}"


def _operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in methods.keys() & _METHODS:
            yield re.sub(r"\{.*?\}", "{}", path), method, methods[method]


def _security(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    before, after = old.get("security", []), new.get("security", [])
    if after != before and after and not all(way in after for way in before or [{}]):
        yield f"who may ask changed from {before or 'anybody'} to {after}"


def _parameters(old: dict[str, Any], new: dict[str, Any], documents: tuple[Document, Document]) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    for key, parameter in after.items():
        if parameter.get("required") and not before.get(key, {}).get("required"):
            yield f"the parameter {key[1]} is required, and clients do not send it"
    for key, parameter in before.items():
        if key not in after:
            yield f"the parameter {key[1]} is gone"
            continue
        schemas = parameter["schema"], after[key]["schema"]
        for sentence in [*complaints(*schemas, documents), *changed_defaults(*schemas, documents)]:
            yield f"the parameter {key[1]} is refused, or means something else: {sentence}"


def _by_name(operation: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the parameters; those in the path go by their place, since a client does not see their names."""
    found, placed = {}, 0
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        if parameter["in"] == "path":
            placed += 1
            name = f"{placed} of the path"
        found[parameter["in"], name.lower() if parameter["in"] == "header" else name] = parameter
    return found


def _body(old: dict[str, Any], new: dict[str, Any], documents: tuple[Document, Document]) -> Iterator[str]:
    before, after = old.get("requestBody"), new.get("requestBody")
    if after and after.get("required") and not (before or {}).get("required"):
        yield "a body is required, and clients do not send it"
    if before is None:
        return
    for kind, content in before["content"].items():
        other = (after or {}).get("content", {}).get(kind)
        if other is None:
            yield f"a body of {kind} is not taken any more"
            continue
        schemas = content.get("schema", {}), other.get("schema", {})
        for sentence in [*complaints(*schemas, documents), *changed_defaults(*schemas, documents)]:
            yield f"a body is refused, or means something else: {sentence}"


def _answers(old: dict[str, Any], new: dict[str, Any], documents: tuple[Document, Document]) -> Iterator[str]:
    was, now = documents
    for status, answer in old["responses"].items():
        other = new["responses"].get(status)
        if other is None:
            if not _FAILURES.fullmatch(status):  # one reason less to refuse harms nobody
                yield f"{status} is not answered any more"
            continue
        yield from _answer_headers(status, answer, other, documents)
        for kind, content in answer.get("content", {}).items():
            if kind not in other.get("content", {}):
                yield f"{status} is not answered as {kind} any more"
                continue
            schema = other["content"][kind].get("schema", {})
            before = content.get("schema", {})
            if _FAILURES.fullmatch(status):
                yield from _failure(status, resolved(schema, now), resolved(before, was))
            else:
                for sentence in complaints(schema, before, (now, was)):
                    yield f"{status}: clients of then do not read it: {sentence}"


def _answer_headers(
    status: str, old: dict[str, Any], new: dict[str, Any], documents: tuple[Document, Document]
) -> Iterator[str]:
    was, now = documents
    for name, header in old.get("headers", {}).items():
        if name not in new.get("headers", {}):
            yield f"the header {name} of {status} is gone"
            continue
        for sentence in complaints(new["headers"][name]["schema"], header["schema"], (now, was)):
            yield f"the header {name} of {status}: clients of then do not read it: {sentence}"


def _failure(status: str, new: dict[str, Any], old: dict[str, Any]) -> Iterator[str]:
    """Codes are added as reasons are: a client takes one that it does not know for its status."""
    for name in sorted(set(old.get("required", [])) - set(new.get("required", []))):
        yield f"{status}: {name} may be absent, and clients of then rely on it"
