"""What comes in with a request: ids in the path, parameters in the query, validators in If-None-Match."""

import re
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from notes_contracts import parse_id
from notes_query.application.get_note import DEFAULT_WAIT_S
from notes_query.entrypoints.http.problems import InvalidRequest

Wait = Annotated[float, Field(ge=0, allow_inf_nan=False, description="Seconds to wait at most; capped at 10.")]

_ENTITY_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


class NoteQuery(BaseModel):
    """Query of `GET /notes/{id}`."""

    model_config = ConfigDict(frozen=True)

    min_version: Annotated[
        int | None, Field(ge=0, description="Wait until the note is at this version, or a later one.")
    ] = None
    wait: Wait = DEFAULT_WAIT_S


class ListQuery(BaseModel):
    """Query of `GET /notes`."""

    model_config = ConfigDict(frozen=True)

    limit: Annotated[int, Field(ge=1, le=200, description="Notes on a page.")] = 50
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None
    status: Annotated[Literal["active", "archived", "all"], Field(description="Which notes.")] = "active"


class CommandQuery(BaseModel):
    """Query of `GET /commands/{command_id}`."""

    model_config = ConfigDict(frozen=True)

    wait: Wait = 0.0


QueryModel = TypeVar("QueryModel", bound=BaseModel)


def query_of(request: Request, model: type[QueryModel]) -> QueryModel:
    """Return the parameters; one that is not known is ignored. Raises InvalidRequest naming every one at fault."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest([(str(item["loc"][0]), item["msg"]) for item in found]) from error


def id_of(text: str, name: str) -> str:
    """Return an id in lower case. Raises InvalidRequest if it is no dashed UUID."""
    found = parse_id(text)
    if found is None:
        raise InvalidRequest([(name, "is no UUID with dashes")])
    return found


def matches(if_none_match: str | None, etag: str) -> bool:
    """Say whether `If-None-Match` names this strong entity tag, by the weak comparison of RFC 9110."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag[1:-1] in _ENTITY_TAG.findall(if_none_match)


def documented(model: type[BaseModel], path: str | None = None) -> dict[str, Any]:
    """Return the OpenAPI of a query that is read by `query_of`, and of an id in the path."""
    fields: dict[str, Any] = model.model_json_schema()["properties"]
    query = [_parameter(name, schema) for name, schema in fields.items()]
    if path is None:
        return {"parameters": query}
    id_ = {"name": path, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    return {"parameters": [id_, *query]}


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in schema.items() if key not in ("title", "description")}
    return {"name": name, "in": "query", "required": False, "schema": shown, "description": schema["description"]}
