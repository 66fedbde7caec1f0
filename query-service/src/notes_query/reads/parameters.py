"""What comes in with a request: ids in the path, parameters in the query, validators in If-None-Match."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from notes_chassis.http.limits import ERRORS
from notes_contracts import parse_id
from notes_contracts.examples import COMMAND_ID, NOTE_ID
from notes_contracts.fields import Author, Tag
from notes_contracts.ids import UUID_PATTERN
from notes_query.http import examples
from notes_query.http.problems import InvalidRequest
from notes_query.reads.get_note import DEFAULT_WAIT_S
from notes_query.reads.words import words_of


def _digits(text: str) -> str:
    # pydantic takes `1.0`, `+1`, ` 1` and `1_0` for numbers, too.
    if not (text.isascii() and text.isdecimal()):
        raise PydanticCustomError("int_parsing", "Input should be a whole number, in digits")
    return text


_WHOLE: Final = BeforeValidator(_digits)
Wait = Annotated[
    float, Field(ge=0, allow_inf_nan=False, description="Seconds to wait at most; capped at 10.", examples=[0.5])
]
Limit = Annotated[int, Field(ge=1, le=200, description="Items on a page.", examples=[20]), _WHOLE]

CURSOR: Final = "`next_cursor` of the page before; the other parameters stay the same."
VERSION_MAX: Final = 2**63 - 1
"""What a store has for a version."""
Q_MAX: Final = 256
Q_WORDS_MAX: Final = 16

_ENTITY_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
_SHOWN: Final = 60
_IDS: Final = MappingProxyType({"note_id": ("The note.", NOTE_ID), "command_id": ("The command.", COMMAND_ID)})
IF_NONE_MATCH: Final = MappingProxyType[str, Any](
    {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The `ETag` of what the client has, or several; if it is still the present one: 304.",
        "schema": {"type": "string"},
        "example": '"3"',
    }
)


def _few_words(text: str) -> str:
    # MongoDB ends a word at `_` too.
    if len(words_of(text.replace("_", " "))) > Q_WORDS_MAX:
        raise PydanticCustomError("too_many_words", f"has more than {Q_WORDS_MAX} words")
    return text


class Query(BaseModel):
    """A query. What is not known is refused: a filter that is passed over would show what nobody asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoteQuery(Query):
    """Query of `GET /notes/{id}`."""

    min_version: Annotated[
        int | None,
        Field(
            ge=0,
            le=VERSION_MAX,
            description="Wait until the note is at this version, or a later one.",
            examples=[1],
        ),
        _WHOLE,
    ] = None
    wait: Wait = DEFAULT_WAIT_S
    on_stale: Annotated[
        Literal["write-store"] | None,
        Field(
            description="After the wait, read this one note from where it was written, if that can be reached.",
            examples=["write-store"],
        ),
    ] = None


class HistoryQuery(Query):
    """Query of `GET /notes/{id}/history`."""

    limit: Limit = 50
    after_version: Annotated[
        int, Field(ge=0, le=VERSION_MAX, description="`next_after_version` of the page before.", examples=[1]), _WHOLE
    ] = 0


class ListQuery(Query):
    """Query of `GET /notes`."""

    limit: Limit = 50
    cursor: Annotated[str | None, Field(description=CURSOR, examples=[examples.CURSOR])] = None
    tag: Annotated[Tag | None, Field(description="Only notes with this tag.", examples=["kitchen"])] = None
    author: Annotated[Author | None, Field(description="Only notes of this author.", examples=["someone"])] = None
    status: Annotated[
        Literal["active", "archived", "all"], Field(description="Only notes of this status.", examples=["active"])
    ] = "active"


class SearchQuery(Query):
    """Query of `GET /notes/search`."""

    q: Annotated[
        str,
        Field(
            min_length=1,
            max_length=Q_MAX,
            description=f"At most {Q_WORDS_MAX} words; a note with any of them is found. Case, accents and punctuation "
            "do not matter.",
            examples=["bread"],
        ),
        AfterValidator(_few_words),
    ]
    limit: Limit = 20
    cursor: Annotated[str | None, Field(description=CURSOR, examples=[examples.SEARCH_CURSOR])] = None


class CommandQuery(Query):
    """Query of `GET /commands/{command_id}`."""

    wait: Wait = 0.0


QueryModel = TypeVar("QueryModel", bound=Query)


def query_of(request: Request, model: type[QueryModel]) -> QueryModel:
    """Return the parameters. Raises InvalidRequest naming those that are there more than once, unknown, or at fault."""
    try:
        return model.model_validate(_each_once(request, model) if request.scope["query_string"] else {})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest([(str(item["loc"][0]), item["msg"]) for item in found]) from error


def _each_once(request: Request, model: type[Query]) -> dict[str, str]:
    sent = request.query_params
    parameters = dict(sent)
    if len(parameters) < len(items := sent.multi_items()):
        repeated = (name for name, times in Counter(name for name, _ in items).items() if times > 1)
        raise InvalidRequest([(name[:_SHOWN], "is there more than once") for name in islice(repeated, ERRORS)])
    if unknown := [*islice((name for name in parameters if name not in model.model_fields), ERRORS)]:
        raise InvalidRequest([(name[:_SHOWN], "is no parameter of this request") for name in unknown])
    return parameters


def id_of(text: str, name: str) -> str:
    """Return an id in lower case. Raises InvalidRequest if it is no dashed UUID."""
    found = parse_id(text)
    if found is None:
        raise InvalidRequest([(name, "is no UUID with dashes")])
    return found


def matches(if_none_match: Sequence[str], etag: str) -> bool:
    """Say whether a line of `If-None-Match` names this strong entity tag, by the weak comparison of RFC 9110."""
    return any(line.strip() == "*" or etag[1:-1] in _ENTITY_TAG.findall(line) for line in if_none_match)


def documented(
    model: type[Query], path: str | None = None, headers: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the OpenAPI of a query that is read by `query_of`, of an id in the path, a key of _IDS, and of headers."""
    schema = model.model_json_schema()
    required = schema.get("required", ())
    query = [_parameter(name, field, required=name in required) for name, field in schema["properties"].items()]
    ids = [] if path is None else [_id(path)]
    return {"parameters": [*ids, *query, *map(dict, headers)]}


def _id(name: str) -> dict[str, Any]:
    what, example = _IDS[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"{what} A UUID with dashes, in any case.",
        "schema": {"type": "string", "format": "uuid", "pattern": UUID_PATTERN},
        "example": example,
    }


def _parameter(name: str, field: dict[str, Any], *, required: bool) -> dict[str, Any]:
    shown = {key: value for key, value in field.items() if key not in ("title", "description", "examples", "anyOf")}
    # Null is how "not there" reads in Python; over HTTP a parameter is there or is not.
    for choice in field.get("anyOf", ()):
        if choice.get("type") != "null":
            shown |= choice
    if shown.get("default", ...) is None:
        del shown["default"]
    (example,) = field["examples"]
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": field["description"],
        "schema": shown,
        "example": example,
    }
