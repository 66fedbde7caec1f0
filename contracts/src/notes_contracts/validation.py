"""Validates data by its model. To refuse data costs about as much as to read it, and at most 20 faults are named.

Errors hold no value of the data. The name of an unknown field comes from the sender, so names are cut, and shown in
printable characters.
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
"""Bytes of data that are read, at most: four times the largest record of a topic. Compressed data may be larger."""
LARGE: Final = 64 * 1024
"""Bytes of data above which unknown fields are counted before the validation."""

Model = TypeVar("Model", bound=BaseModel)


class FieldFault(NamedTuple):
    """A wrong field, as a path with dots, and what is wrong with it."""

    field: str
    message: str


class NotJson(ValueError):
    """The data is not JSON. The text says where."""

    note_id: None = None


class InvalidData(ValueError):
    """The data is JSON and does not fit its model. The text names all `faults`.

    `note_id`: the note id of the data, if it has a valid one.
    """

    def __init__(self, faults: Iterable[FieldFault], note_id: str | None = None) -> None:
        self.note_id = note_id
        self.faults = tuple(faults)
        named = [f"{fault.field}: {fault.message}" for fault in self.faults]
        # More faults than that were not looked for.
        super().__init__("; ".join(named if len(named) < FAULTS_NAMED else [*named, "there may be more"]))


def json_validator(model: type[Model]) -> Callable[[bytes], Model]:
    """Return the function that validates JSON by the model. It raises ValidationError.

    It is pydantic-core's own: the method of TypeAdapter costs 1.5 times as much, for every record.
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
    """Return the error for data that is too large to be parsed."""
    return InvalidData([FieldFault("data", f"larger than {DATA_MAX} bytes")])


def refusal(model: type[BaseModel], data: bytes, error: ValidationError) -> NotJson | InvalidData:
    """Return why the data was refused, as an exception to raise or to read."""
    try:
        parsed = _read(data)
    except NotJson as unreadable:
        return unreadable
    if isinstance(parsed, dict) and error.error_count() > FAULTS_NAMED:
        try:
            model.model_validate_json(_few_unknown(model, parsed))
        except ValidationError as first:
            error = first
    found = error.errors(include_url=False, include_context=False, include_input=False)
    faults = (FieldFault(shown_path(fault["loc"]), fault["msg"]) for fault in found[:FAULTS_NAMED])
    return InvalidData(faults, _note_id_of(parsed))


def note_id_in(data: bytes | None) -> str | None:
    """Return the note id in the data, even if the rest is not valid, or None. Never raises."""
    if data is None or len(data) > DATA_MAX:
        return None
    try:
        return _note_id_of(from_json(data, allow_inf_nan=False))
    except ValueError:
        return None


def _read(data: bytes) -> object:
    """Return the parsed data. Raises NotJson, also for NaN and Infinity, which pydantic would call a wrong type."""
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as unreadable:
        raise NotJson(f"not JSON: {unreadable}") from None


def _note_id_of(parsed: object) -> str | None:
    note_id = parsed.get("note_id") if isinstance(parsed, dict) else None
    return parse_id(note_id) if isinstance(note_id, str) else None


def _with_few_unknown(model: type[BaseModel], data: bytes) -> bytes:
    """Return the data with at most `FAULTS_NAMED` unknown fields. Raises NotJson.

    pydantic makes an error for each unknown field, which takes 17 times the memory of the parsed field.
    """
    parsed = _read(data)
    if not isinstance(parsed, dict) or parsed.keys() <= model.model_fields.keys():
        return data
    return _few_unknown(model, parsed)


def _few_unknown(model: type[BaseModel], parsed: dict[str, Any]) -> bytes:
    known = {name: parsed[name] for name in model.model_fields if name in parsed}
    unknown = (name for name in parsed if name not in model.model_fields)
    return to_json(known | {name: None for name, _ in zip(unknown, range(FAULTS_NAMED), strict=False)})


def shown_path(location: Iterable[int | str]) -> str:
    """Return the path of a field, cut to `FIELD_MAX` characters, with printable ones only."""
    path = ".".join(str(part)[: FIELD_MAX + 1] for part in location) or "data"
    shown = "".join(letter if letter.isprintable() else "�" for letter in path[: FIELD_MAX + 1])
    return shown if len(shown) <= FIELD_MAX else shown[: FIELD_MAX - 1] + "…"
