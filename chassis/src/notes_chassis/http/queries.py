"""The parameters of a query, read strictly: what is passed over would show what nobody asked for. And cursors."""

import re
from base64 import b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from functools import cache
from itertools import islice
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from notes_chassis.http.limits import ERRORS
from notes_chassis.http.problems import FIELD_MAX, invalid

# One way only to read a row of digits. `\d+\.?\d*` could part it anywhere: 16 kB of them held the process for 5 s.
_SECONDS: Final = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


class QueryModel(BaseModel):
    """A query. What is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    many: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """The parameters that may be there several times, and how many times at most."""


Asked = TypeVar("Asked", bound=QueryModel)


def query_of(request: Request, model: type[Asked]) -> Asked:
    """Return the parameters. Raises Refusal naming those that are there more than once, unknown, or at fault."""
    try:
        return model.model_validate(_each_once(request, model) if request.scope["query_string"] else {})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid((str(item["loc"][0]), item["msg"]) for item in found[:ERRORS]) from error


def _each_once(request: Request, model: type[QueryModel]) -> dict[str, Any]:
    sent = request.query_params
    parameters: dict[str, Any] = dict(sent)
    if len(parameters) < len(items := sent.multi_items()):
        counted = Counter(name for name, _ in items)
        repeated = (name for name, times in counted.items() if times > 1 and name not in model.many)
        if named := [(name[:FIELD_MAX], "is there more than once") for name in islice(repeated, ERRORS)]:
            raise invalid(named)
    for name, most in model.many.items():
        if name in parameters:
            parameters[name] = sent.getlist(name)
            if len(parameters[name]) > most:
                raise invalid([(name, f"is there more than {most} times")])
    known = _names(model)
    if unknown := [*islice((name for name in parameters if name not in known), ERRORS)]:
        raise invalid((name[:FIELD_MAX], "is not a parameter of this request") for name in unknown)
    return parameters


@cache
def _names(model: type[QueryModel]) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def cursor_of(packed: bytes) -> str:
    """Return bytes as the text of a cursor: base64url without padding."""
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def packed_in(cursor: str) -> bytes:
    """Return the bytes in a cursor. Raises ValueError for what is none. More than one text may hold the same bytes."""
    return b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)


def _digits(text: object) -> object:
    # pydantic takes `1.0`, `+1`, ` 1` and `1_0` for numbers, too.
    if isinstance(text, str) and not (text.isascii() and text.isdecimal()):
        raise PydanticCustomError("int_parsing", "Input should be a whole number, in digits")
    return text


def _decimal(text: object) -> object:
    if isinstance(text, str) and not _SECONDS.fullmatch(text):
        raise PydanticCustomError("float_parsing", "Input should be a number, in digits")
    return text


WHOLE: Final = BeforeValidator(_digits)
DECIMAL: Final = BeforeValidator(_decimal)
