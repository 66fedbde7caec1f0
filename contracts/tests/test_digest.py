"""The constants are `printf 'TYPE\0JSON' | sha256sum`, so that any language can be held against them."""

import json
from typing import Any

import pytest

from notes_contracts import ArchiveNote, CreateNote, RestoreNote, UpdateNote, digest_of

NOTE = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"
MINIMAL = "121cd63b73957403f7dff454257d8d95879fa37e84da80ec4963c74d5305d463"
FULL = "be559e582c74b5c39d537f69454dda442998c72332da789dd051d80d83281337"
UPDATE = "83d47c4bc53696270ca839c17ec08559d28cba44497e2a4cf443bcca9b2a03b8"


def create(**data: Any) -> CreateNote:
    return CreateNote.model_validate_json(json.dumps({"note_id": NOTE, "title": "Hello", **data}))


def test_the_digest_of_a_minimal_command_has_its_defaults_filled_in() -> None:
    # of the JSON {"author":null,"body":"","note_id":"…","tags":[],"title":"Hello"}
    assert digest_of(create()) == MINIMAL
    assert digest_of(create(author=None, tags=[], body="")) == MINIMAL


def test_text_is_utf8_without_escaping_and_keys_are_sorted() -> None:
    # of the JSON {"author":"Zoë","body":"a\\n\\"b\\" 🚲","note_id":"…","tags":["to-do","x"],"title":"Grüße"}
    full = create(title=" Grüße ", body='a\n"b" 🚲', tags=["To-Do", "x", "to-do"], author="Zoë")
    assert digest_of(full) == FULL


def test_an_expected_version_nobody_named_is_null() -> None:
    # of the JSON {"body":"World","expected_version":null,"note_id":"…"}
    assert digest_of(UpdateNote(note_id=NOTE, body="World")) == UPDATE


def test_the_case_of_the_note_id_makes_no_difference() -> None:
    assert digest_of(create(note_id=NOTE.upper())) == MINIMAL


@pytest.mark.parametrize(
    "data",
    [{"title": "hello"}, {"body": " "}, {"tags": ["a"]}, {"author": "null"}, {"note_id": NOTE.replace("5", "6")}],
)
def test_any_other_content_has_another_digest(data: dict[str, Any]) -> None:
    assert digest_of(create(**data)) != MINIMAL


def test_the_order_of_tags_makes_a_difference() -> None:
    assert digest_of(create(tags=["a", "b"])) != digest_of(create(tags=["b", "a"]))


def test_the_same_data_under_another_type_has_another_digest() -> None:
    assert digest_of(ArchiveNote(note_id=NOTE)) != digest_of(RestoreNote(note_id=NOTE))
