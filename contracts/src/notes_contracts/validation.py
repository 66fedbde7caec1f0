"""Data against its model. What is refused costs about what reading it costs, and at most 20 faults are named.

The texts hold no value of the data. A field's name comes from the sender where nobody knows the field, so names are
short and printable.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from notes_contracts.fields import FAULTS_NAMED
from notes_contracts.ids import parse_id

FIELD_MAX: Final = 64
"""Characters of a field's path that are shown."""
DATA_MAX: Final = 8 * 1024 * 1024
"""Bytes of data that are read: four times a record of the topics, which only compression can exceed."""
LARGE: Final = 64 * 1024
"""Bytes of data from which on its unknown fields are counted first."""

Model = TypeVar("Model", bound=BaseModel)


class FieldFault(NamedTuple):
    """A field that is wrong, as a path with dots, and what is wrong with it."""

    field: str
    message: str


class NotJson(ValueError):
    """The data is not JSON; the text says where."""

    note_id: None = None


class InvalidData(ValueError):
    """The data is JSON and does not fit its model. Its text names every fault of `faults`.

    `note_id` is the data's, if it has one that is one.
    """

    def __init__(self, faults: Iterable[FieldFault], note_id: str | None = None) -> None:
        self.note_id = note_id
        self.faults = tuple(faults)
        named = [f"{fault.field}: {fault.message}" for fault in self.faults]
        # Nobody counted the others.
        super().__init__("; ".join(named if len(named) < FAULTS_NAMED else [*named, "there may be more"]))


def json_validator(model: type[Model]) -> Callable[[bytes], Model]:
    """Return the model's validator of JSON, to be called for every record; it raises ValidationError.

    It is the validator itself: TypeAdapter's own method costs half as much again.
    """
    return TypeAdapter(model).validator.validate_json


def validate(model: type[Model], data: bytes) -> Model:
    """Return the message in the data. Raises NotJson or InvalidData."""
    if len(data) > DATA_MAX:
        raise too_large()
    try:
        return model.model_validate_json(_with_few_unknown(model, data) if len(data) > LARGE else data)
    except ValidationError as error:
        raise refusal(model, data, error) from error


def too_large() -> InvalidData:
    """Return the refusal of data that is not even parsed."""
    return InvalidData([FieldFault("data", f"larger than {DATA_MAX} bytes")])


def refusal(model: type[BaseModel], data: bytes, error: ValidationError) -> NotJson | InvalidData:
    """Return why the data was refused, as an exception to raise or to read."""
    try:
        said = _read(data)
    except NotJson as unreadable:
        return unreadable
    if isinstance(said, dict) and error.error_count() > FAULTS_NAMED:
        try:
            model.model_validate_json(_few_unknown(model, said))
        except ValidationError as first:
            error = first
    found = error.errors(include_url=False, include_context=False, include_input=False)
    faults = (FieldFault(shown_path(item["loc"]), item["msg"]) for item in found[:FAULTS_NAMED])
    return InvalidData(faults, _note_id_of(said))


def note_id_in(data: bytes | None) -> str | None:
    """Return the note id that data holds, whatever else it is. Never raises."""
    if data is None or len(data) > DATA_MAX:
        return None
    try:
        return _note_id_of(from_json(data, allow_inf_nan=False))
    except ValueError:
        return None


def _read(data: bytes) -> object:
    """Return what is in the data. pydantic takes NaN and Infinity for JSON, and then calls them a wrong type."""
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as unreadable:
        raise NotJson(f"not JSON: {unreadable}") from None


def _note_id_of(said: object) -> str | None:
    note_id = said.get("note_id") if isinstance(said, dict) else None
    return parse_id(note_id) if isinstance(note_id, str) else None


def _with_few_unknown(model: type[BaseModel], data: bytes) -> bytes:
    """Return the data with as many unknown fields as are named; as it is if it has none. Raises NotJson.

    pydantic makes an error of each unknown field, in 17 times the memory that reading them takes.
    """
    said = _read(data)
    if not isinstance(said, dict) or said.keys() <= model.model_fields.keys():
        return data
    return _few_unknown(model, said)


def _few_unknown(model: type[BaseModel], said: dict[str, Any]) -> bytes:
    known = {name: said[name] for name in model.model_fields if name in said}
    unknown = (name for name in said if name not in model.model_fields)
    return to_json(known | {name: None for name, _ in zip(unknown, range(FAULTS_NAMED), strict=False)})


def shown_path(location: Iterable[int | str]) -> str:
    """Return the path of a field, short and printable, whatever its names are."""
    path = ".".join(str(part)[: FIELD_MAX + 1] for part in location) or "data"
    shown = "".join(letter if letter.isprintable() else "�" for letter in path[: FIELD_MAX + 1])
    return shown if len(shown) <= FIELD_MAX else shown[: FIELD_MAX - 1] + "…"
