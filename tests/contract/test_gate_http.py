"""The gate sees every break of HTTP: each is planted, and each says so in a sentence."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from tools.contract_gate.gate import breaks
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
NOT_READ = "200: clients of then do not read it: "
REFUSED = "is refused, or means something else: "
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
        GET_LIST + "the parameter tenant is required, and clients do not send it",
    ),
    "a parameter becomes required": (
        lambda new: parameter(new, LIST, "tag").update(required=True),
        GET_LIST + "the parameter tag is required, and clients do not send it",
    ),
    "a parameter is gone": (
        lambda new: without(new, LIST, "tag"),
        GET_LIST + "the parameter tag is gone",
    ),
    "a parameter takes less": (
        lambda new: parameter(new, LIST, "limit")["schema"].update(maximum=10),
        GET_LIST + f"the parameter limit {REFUSED}it: 200 as the largest may be written, and at most 10 read",
    ),
    "a parameter is of another type": (
        lambda new: parameter(new, NOTE, "min_version")["schema"].update(type="string"),
        GET_NOTE + f"the parameter min_version {REFUSED}it: integer may be written, and only string is read",
    ),
    "a parameter that is left out means something else": (
        lambda new: parameter(new, NOTE, "wait")["schema"].update(default=0.5),
        GET_NOTE + f"the parameter wait {REFUSED}it: left out it meant 2.0, and now means 0.5",
    ),
    "a body is required": (
        lambda new: operation(new, "/tags").update(requestBody={"required": True, "content": {JSON: {}}}),
        f"{READ}: GET /tags: a body is required, and clients do not send it",
    ),
    "a kind of body is not taken": (
        lambda new: body(new).update(content={"application/xml": {}}),
        POST + "a body of application/json is not taken any more",
    ),
    "a body takes less": (
        lambda new: schema(new, "UpdateNote", WRITE)["properties"]["body"].update(maxLength=10),
        POST + f"a body {REFUSED}body: 100000 characters may be written, and at most 10 read",
    ),
    "a body needs more": (
        lambda new: schema(new, "UpdateNote", WRITE)["required"].append("expected_version"),
        POST + f"a body {REFUSED}expected_version: it may be absent from what is written, and is required by what "
        "reads it",
    ),
    "an answer is gone": (
        lambda new: operation(new, NOTE)["responses"].pop("304"),
        GET_NOTE + "304 is not answered any more",
    ),
    "an answer is of another kind": (
        lambda new: answer(new, NOTE).update(content={"application/xml": {}}),
        GET_NOTE + "200 is not answered as application/json any more",
    ),
    "an answer lacks a field": (
        lambda new: (
            schema(new, "NoteView")["properties"].pop("preview"),
            schema(new, "NoteView")["required"].remove("preview"),
        ),
        GET_NOTE + NOT_READ + "preview: it may be absent from what is written, and is required by what reads it",
    ),
    "a field of an answer is of another type": (
        lambda new: schema(new, "NoteView")["properties"]["version"].update(type="string"),
        GET_NOTE + NOT_READ + "version: string may be written, and only integer is read",
    ),
    "a field of an answer may be null": (
        lambda new: schema(new, "NoteView")["properties"]["title"].update(type=["string", "null"]),
        GET_NOTE + NOT_READ + "title: null may be written, and only string is read",
    ),
    "a field of an answer has a new value": (
        lambda new: schema(new, "NoteView")["properties"]["status"]["enum"].append("draft"),
        GET_NOTE + NOT_READ + "status: 'draft' may be written, and is not read",
    ),
    "a header is gone": (
        lambda new: answer(new, NOTE)["headers"].pop("ETag"),
        GET_NOTE + "the header ETag of 200 is gone",
    ),
    "a header says something new": (
        lambda new: answer(new, NOTE)["headers"]["Consistency"]["schema"]["enum"].append("fresh"),
        GET_NOTE + "the header Consistency of 200: clients of then do not read it: it: 'fresh' may be written, "
        "and is not read",
    ),
    "a problem has no code": (
        lambda new: schema(new, "Problem")["required"].remove("code"),
        GET_NOTE + "404: code may be absent, and clients of then rely on it",
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
    return replace(found, schemas={}, golden={}, api={name: found.api[name] for name in (READ, WRITE)})


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
