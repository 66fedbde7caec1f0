"""The rules of single fields. Characters are Unicode code points; NUL is not allowed anywhere."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, FailFast, Field, StringConstraints, ValidationError, WithJsonSchema, WrapValidator
from pydantic_core import InitErrorDetails

TITLE_MAX = 200
BODY_MAX = 100_000
AUTHOR_MAX = 200
TAG_MAX = 32
FAULTS_NAMED: Final = 20
"""Faults of a message that are looked for and named, at most: a hostile message could have a million."""
_CHUNK: Final = 1_000
"""Tags that are validated together after the first bad one."""
NO_TAG: Final = f"a tag is 1 to {TAG_MAX} of a-z, 0-9 and '-', and does not start with '-'"

_NO_NUL = r"^[^\x00]*$"
_tag = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{TAG_MAX - 1}}}").fullmatch


def normalise_tag(text: str) -> str:
    """Return `text` in lower case.

    Raises ValueError if that is not a tag: 1 to 32 of a-z, 0-9 and `-`, not starting with `-`.
    """
    lowered = text.lower()
    if _tag(lowered) is None:
        raise ValueError(NO_TAG)
    return lowered


def _tags(given: Any, validate: Callable[[Any], tuple[str, ...]]) -> tuple[str, ...]:
    """Return the tags in the order in which they first appear, each once.

    `validate` stops at the first bad tag. Then the tags behind it are validated, until `FAULTS_NAMED` are found bad.
    """
    try:
        return tuple(dict.fromkeys(validate(given)))
    except ValidationError as error:
        if not isinstance(given, list | tuple):
            raise
        bad = [_index(error)]
    start = bad[0] + 1
    while start < len(given) and len(bad) < FAULTS_NAMED:
        try:
            validate(given[start : start + _CHUNK])
        except ValidationError as error:
            bad.append(start + _index(error))
            start = bad[-1] + 1
        else:
            start += _CHUNK
    raise ValidationError.from_exception_data("tags", [_fault(index, given[index]) for index in bad])


def _index(error: ValidationError) -> int:
    return int(error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"][0])


def _fault(index: int, tag: object) -> InitErrorDetails:
    if not isinstance(tag, str):
        return {"type": "string_type", "loc": (index,), "input": tag}
    return {"type": "value_error", "loc": (index,), "input": tag, "ctx": {"error": ValueError(NO_TAG)}}


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TITLE_MAX, pattern=_NO_NUL)]
Body = Annotated[str, StringConstraints(max_length=BODY_MAX, pattern=_NO_NUL)]
Author = Annotated[str, StringConstraints(min_length=1, max_length=AUTHOR_MAX, pattern=_NO_NUL)]
_SCHEMA: Final = {"type": "string", "pattern": f"^[A-Za-z0-9][A-Za-z0-9-]{{0,{TAG_MAX - 1}}}$"}
Tag = Annotated[str, AfterValidator(normalise_tag), WithJsonSchema(_SCHEMA)]
# A tag in a list is validated without a Python call: a record may hold 300,000. U+212A becomes `k` in lower case.
_ListedTag = Annotated[
    str,
    StringConstraints(pattern=f"^[A-Za-z0-9\u212a][A-Za-z0-9\u212a-]{{0,{TAG_MAX - 1}}}$", to_lower=True),
    WithJsonSchema(_SCHEMA),
]
# Only the container is not strict: Python callers may pass a list or a tuple.
Tags = Annotated[tuple[_ListedTag, ...], Field(strict=False), FailFast(), WrapValidator(_tags)]
