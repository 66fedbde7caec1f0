"""The shapes of single fields (design: characters are Unicode code points; NUL is nowhere allowed)."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

TITLE_MAX = 200
BODY_MAX = 100_000
AUTHOR_MAX = 200

_NO_NUL = r"^[^\x00]*$"
_tag = re.compile(r"[a-z0-9][a-z0-9-]{0,31}").fullmatch


def normalise_tag(text: str) -> str:
    """Return `text` in lower case.

    Raises ValueError if that is no tag: 1 to 32 of a-z, 0-9 and `-`, not starting with `-`.
    """
    lowered = text.lower()
    if _tag(lowered) is None:
        raise ValueError("a tag is 1 to 32 of a-z, 0-9 and '-', and does not start with '-'")
    return lowered


def without_repeats(tags: Sequence[str]) -> tuple[str, ...]:
    """Return the tags in the order in which they first appear, each once."""
    return tuple(dict.fromkeys(tags))


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TITLE_MAX, pattern=_NO_NUL)]
Body = Annotated[str, StringConstraints(max_length=BODY_MAX, pattern=_NO_NUL)]
Author = Annotated[str, StringConstraints(min_length=1, max_length=AUTHOR_MAX, pattern=_NO_NUL)]
Tag = Annotated[
    str, AfterValidator(normalise_tag), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9-]{0,31}$"})
]
# Strictness is off for the container alone: JSON knows one kind of list, and Python callers pass either.
Tags = Annotated[tuple[Tag, ...], Field(strict=False), AfterValidator(without_repeats)]
