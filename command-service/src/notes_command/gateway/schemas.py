"""The documents that HTTP takes and answers with, as components of the OpenAPI document."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from notes_contracts import COMMANDS, Code, CreateNote, Outcome
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp

REFERENCE: Final = "#/components/schemas/{model}"


class FieldError(BaseModel):
    """What is wrong with one field or parameter."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `code` is stable: branch on it.

    `errors` names every field at fault, if the code is `invalid`; `outcome` is that of the command, if there is one;
    `known` are the names of commands, if the one asked for is none; `command_id` is the key to repeat a command with.
    """

    type: Literal["about:blank"]
    title: str
    status: int
    code: Code
    detail: str
    errors: list[FieldError] = []
    outcome: Outcome | None = None
    known: list[str] = []
    command_id: Id | None = None


class Taken(BaseModel):
    """A command that is on Kafka: its id, and the note that it is about."""

    command_id: Id
    note_id: Id


class NoteView(BaseModel):
    """A note as the write store has it, at its present version."""

    id: Id
    title: str
    body: str
    tags: list[str]
    author: str | None
    status: Literal["active", "archived"]
    version: int
    created_at: Timestamp
    updated_at: Timestamp


class NoteAsked(BaseModel):
    """The note that is asked for."""

    model_config = ConfigDict(strict=True, extra="forbid")

    note_id: Id


class Alive(BaseModel):
    """The process answers."""

    ok: Literal[True]


class Part(BaseModel):
    """One thing that is well or not: since when, and why not."""

    ok: bool
    since: Timestamp
    reason: str | None = None


class Readiness(BaseModel):
    """Whether requests are served, and the state of every part."""

    ready: bool
    parts: dict[str, Part]


_MODELS: Final[tuple[type[BaseModel], ...]] = (Problem, Taken, NoteView, NoteAsked, Alive, Readiness, Outcome)


def reference(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema that points at the component of a model."""
    return {"$ref": REFERENCE.format(model=model.__name__)}


def components() -> dict[str, Any]:
    """Return the schemas by name. Over HTTP `note_id` may be left out of CreateNote: it follows from the command id."""
    models = (*_MODELS, *COMMANDS.values())
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=REFERENCE)
    schemas: dict[str, Any] = found["$defs"]
    create = schemas[CreateNote.__name__]
    create["required"] = [name for name in create["required"] if name != "note_id"]
    return dict(sorted(schemas.items()))
