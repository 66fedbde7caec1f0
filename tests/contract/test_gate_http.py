"""The gate sees every break of HTTP: each is planted, and each says so in a sentence."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from tools.contract_gate.breaks import breaks
from tools.contract_gate.release import Release, released

JSON = "application/json"
READ, WRITE = "query-service.openapi", "command-service.openapi"
NOTE, LIST, UPDATE = "/notes/{note_id}", "/notes", "/commands/update-note"

Plant = Callable[[Release], Any]


def operation(release: Release, path: str, document: str = READ) -> dict[str, Any]:
    ((_, found),) = release.api[document]["paths"][path].items()
    assert isinstance(found, dict)
    return found


def schema(release: Release, name: str, document: str = READ) -> dict[str, Any]:
    found: dict[str, Any] = release.api[document]["components"]["schemas"][name]
    return found


def parameter(release: Release, path: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in operation(release, path)["parameters"] if one["name"] == name]
    assert isinstance(found, dict)
    return found


def without(release: Release, path: str, name: str) -> None:
    of = operation(release, path)
    of["parameters"] = [one for one in of["parameters"] if one["name"] != name]


def answer(release: Release, path: str, status: str = "200") -> dict[str, Any]:
    found: dict[str, Any] = operation(release, path)["responses"][status]
    return found


def body(release: Release) -> dict[str, Any]:
    found: dict[str, Any] = operation(release, UPDATE, WRITE)["requestBody"]
    return found


GET_NOTE, GET_LIST, POST = f"{READ}: GET /notes/{{}}: ", f"{READ}: GET /notes: ", f"{WRITE}: POST {UPDATE}: "
NOT_READ = "clients of then do not read what is answered: "
REFUSED = "what clients send is refused, or means something else: "
ABSENT = "it may be absent from what is written, and is required by what reads it"
MORE = "may be written, and is not read"
LONG = r'{"maxLength": 100000, "minLength": 11, "pattern": "^[^\\x00]*$", "type": "string"}'
VIEW = f"{NOT_READ}200.content.application/json."
NEW_PARAMETER = {"name": "tenant", "in": "query", "required": True, "schema": {"type": "string"}}

PLANTED: dict[str, tuple[Plant, str]] = {
    "a document is gone": (
        lambda new: new.api.pop(READ),
        f"{READ}: 1.0.0 has it, this version has not",
    ),
    "a path is gone": (
        lambda new: new.api[READ]["paths"].pop("/tags"),
        f"{READ}: GET /tags is gone",
    ),
    "a method is another": (
        lambda new: new.api[READ]["paths"].update({"/tags": {"post": operation(new, "/tags")}}),
        f"{READ}: GET /tags is gone",
    ),
    "a new parameter is required": (
        lambda new: operation(new, LIST)["parameters"].append(NEW_PARAMETER),
        f"{GET_LIST}{REFUSED}query tenant: {ABSENT}",
    ),
    "a parameter becomes required": (
        lambda new: parameter(new, LIST, "tag").update(required=True),
        f"{GET_LIST}{REFUSED}query tag: {ABSENT}",
    ),
    "a parameter is gone": (
        lambda new: without(new, LIST, "tag"),
        f"{GET_LIST}{REFUSED}query tag: it may be written, and is refused as unknown",
    ),
    "a parameter takes less": (
        lambda new: parameter(new, LIST, "limit")["schema"].update(maximum=10),
        f'{GET_LIST}{REFUSED}query limit: {{"maximum": 200, "minimum": 11, "type": "integer"}} {MORE}',
    ),
    "a parameter is of another type": (
        lambda new: parameter(new, NOTE, "min_version")["schema"].update(type="string"),
        f'{GET_NOTE}{REFUSED}query min_version: {{"maximum": {2**63 - 1}, "minimum": 0, "type": "integer"}} {MORE}',
    ),
    "a parameter that is left out means something else": (
        lambda new: parameter(new, NOTE, "wait")["schema"].update(default=0.5),
        f"{GET_NOTE}{REFUSED}query wait: left out it meant 2.0, and now means 0.5",
    ),
    "a body is required": (
        lambda new: operation(new, "/tags").update(requestBody={"required": True, "content": {JSON: {}}}),
        f"{READ}: GET /tags: {REFUSED}body: {ABSENT}",
    ),
    "a kind of body is not taken": (
        lambda new: body(new).update(content={"application/xml": {}}),
        f"{POST}{REFUSED}body.application/json: it may be written, and is refused as unknown",
    ),
    "a body takes less": (
        lambda new: schema(new, "UpdateNote", WRITE)["properties"]["body"].update(maxLength=10),
        f"{POST}{REFUSED}body.application/json.body: {LONG} {MORE}",
    ),
    "a body needs more": (
        lambda new: schema(new, "UpdateNote", WRITE)["required"].append("expected_version"),
        f"{POST}{REFUSED}body.application/json.expected_version: {ABSENT}",
    ),
    "an answer is gone": (
        lambda new: operation(new, NOTE)["responses"].pop("304"),
        f"{GET_NOTE}{NOT_READ}304: {ABSENT}",
    ),
    "an answer is of another kind": (
        lambda new: answer(new, NOTE).update(content={"application/xml": {}}),
        f"{GET_NOTE}{NOT_READ}200.content.application/json: {ABSENT}",
    ),
    "an answer lacks a field": (
        lambda new: (
            schema(new, "NoteView")["properties"].pop("preview"),
            schema(new, "NoteView")["required"].remove("preview"),
        ),
        f"{GET_NOTE}{VIEW}preview: {ABSENT}",
    ),
    "a field of an answer is of another type": (
        lambda new: schema(new, "NoteView")["properties"]["version"].update(type="string"),
        f'{GET_NOTE}{VIEW}version: {{"type": "string"}} {MORE}',
    ),
    "a field of an answer may be null": (
        lambda new: schema(new, "NoteView")["properties"]["title"].update(type=["string", "null"]),
        f'{GET_NOTE}{VIEW}title: {{"type": "null"}} {MORE}',
    ),
    "a field of an answer has a new value": (
        lambda new: schema(new, "NoteView")["properties"]["status"]["enum"].append("draft"),
        f'{GET_NOTE}{VIEW}status: {{"const": "draft"}} {MORE}',
    ),
    "a header is gone": (
        lambda new: answer(new, NOTE)["headers"].pop("ETag"),
        f"{GET_NOTE}{NOT_READ}200.headers.ETag: {ABSENT}",
    ),
    "a header says something new": (
        lambda new: answer(new, NOTE)["headers"]["Consistency"]["schema"]["enum"].append("fresh"),
        f'{GET_NOTE}{NOT_READ}200.headers.Consistency: {{"const": "fresh"}} {MORE}',
    ),
    "a problem has no code": (
        lambda new: schema(new, "Problem")["required"].remove("code"),
        f"{GET_NOTE}{NOT_READ}404.content.application/problem+json.code: {ABSENT}",
    ),
    "a code is answered with another status": (
        lambda new: operation(new, UPDATE, WRITE)["responses"].update(
            {"412": operation(new, UPDATE, WRITE)["responses"].pop("409")}
        ),
        f"{POST}version_conflict is answered with 412, no longer with 409",
    ),
    "who may ask is somebody else": (
        lambda new: operation(new, NOTE).update(security=[{"bearer": ["notes.admin"]}]),
        GET_NOTE + "who may ask changed from [{}, {'bearer': ['notes.read']}] to [{'bearer': ['notes.admin']}]",
    ),
}
GOOD: dict[str, Plant] = {
    "a path is new": lambda new: new.api[READ]["paths"].update({"/notes/count": new.api[READ]["paths"]["/tags"]}),
    "a parameter is new": lambda new: operation(new, LIST)["parameters"].append({**NEW_PARAMETER, "required": False}),
    "a parameter takes more": lambda new: parameter(new, LIST, "limit")["schema"].update(maximum=1_000),
    "an answer says more": lambda new: schema(new, "NoteView")["properties"].update(colour={"type": "string"}),
    "there is one more reason to fail": lambda new: schema(new, "Code")["enum"].append("note_on_fire"),
    "there is one reason less": lambda new: operation(new, LIST)["responses"].pop("429"),
    "a part of a path is called otherwise": lambda new: new.api[READ]["paths"].update(
        {"/notes/{id}": new.api[READ]["paths"].pop(NOTE)}
    ),
}


@pytest.fixture(scope="module")
def first() -> Release:
    """The first release without its messages, which are another file's matter."""
    found = released()[0]
    return replace(found, schemas={}, golden={}, codes={}, api={name: found.api[name] for name in (READ, WRITE)})


@pytest.fixture
def new(first: Release) -> Release:
    """A next version in which nothing has changed yet."""
    return replace(deepcopy(first), name="this version")


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_break_is_seen(case: str, first: Release, new: Release) -> None:
    plant, sentence = PLANTED[case]
    plant(new)
    assert sentence in breaks(first, new)


@pytest.mark.parametrize("case", GOOD)
def test_what_breaks_nobody_is_let_through(case: str, first: Release, new: Release) -> None:
    GOOD[case](new)
    assert breaks(first, new) == []
