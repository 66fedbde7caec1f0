import re
from uuid import RFC_4122, UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from notes_contracts import note_id_of_command, parse_id, random_id
from notes_contracts.ids import UUID_PATTERN, Id

LOWER = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"
UPPER = "5F0C1E9A-7B1D-4C53-9A52-0D8F3B6A7E11"
MIXED = "5f0C1e9A-7B1d-4c53-9a52-0d8F3b6a7e11"
NO_IDS = [
    "",
    "5f0c1e9a7b1d4c539a520d8f3b6a7e11",
    "{5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11}",
    "urn:uuid:5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11",
    "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e1",
    "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e111",
    "5f0c1e9-a7b1d-4c53-9a52-0d8f3b6a7e11",
    "5g0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11",
    " 5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11",
    "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11\n",
    "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e1１",  # a full-width digit
    "5f0c1e9a‐7b1d‐4c53‐9a52‐0d8f3b6a7e11",  # typographic hyphens
]
ids = TypeAdapter(Id)


@pytest.mark.parametrize("text", [LOWER, UPPER, MIXED])
def test_an_id_is_read_in_any_case_and_kept_in_lower_case(text: str) -> None:
    assert ids.validate_python(text) == LOWER
    assert parse_id(text) == LOWER


@pytest.mark.parametrize("text", NO_IDS)
def test_only_a_dashed_uuid_is_an_id(text: str) -> None:
    with pytest.raises(ValidationError):
        ids.validate_python(text)
    assert parse_id(text) is None


def test_nothing_is_no_id() -> None:
    assert parse_id(None) is None


@pytest.mark.parametrize("value", [b"5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11", 5, None])
def test_an_id_is_text(value: object) -> None:
    with pytest.raises(ValidationError):
        ids.validate_python(value, strict=True)


def test_the_pattern_that_other_languages_get_says_the_same() -> None:
    assert all(re.search(UUID_PATTERN, text) for text in (LOWER, UPPER, MIXED))
    # Python's `$` alone takes a final line break for the end; ECMAScript's does not.
    assert not any(re.search(UUID_PATTERN, text) for text in NO_IDS if not text.endswith("\n"))


def test_a_retry_that_names_no_note_makes_the_same_note() -> None:
    # uuid5 of the namespace 6f1d3c5e-3b86-5d7c-9c0a-6a2f0e1b7d44, fixed for ever:
    # a change here gives every retried create-note a second note.
    assert note_id_of_command("7d2f6a10-94c8-4be5-a1f3-5c0e8b7d9a21") == "7f7e16ff-9f84-5225-98c6-3eebe298ae47"


def test_random_ids_are_uuids_of_version_4_and_differ() -> None:
    made = [random_id() for _ in range(1000)]

    assert len(set(made)) == 1000
    assert {(UUID(text).version, UUID(text).variant, str(UUID(text)) == text) for text in made} == {(4, RFC_4122, True)}
