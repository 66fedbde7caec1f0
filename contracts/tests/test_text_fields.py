"""Title, body and author: limits in code points, trimming, NUL."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from notes_contracts import CreateNote, UpdateNote

NOTE = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"
BICYCLE = "🚲"  # one code point, two UTF-16 units, four bytes


def create(**data: Any) -> CreateNote:
    return CreateNote.model_validate_json(json.dumps({"note_id": NOTE, "title": "Hello", **data}))


def faulty_fields(**data: Any) -> list[tuple[int | str, ...]]:
    with pytest.raises(ValidationError) as caught:
        create(**data)
    return [error["loc"] for error in caught.value.errors()]


@pytest.mark.parametrize("title", ["x", "x" * 200, BICYCLE * 200, "a  b", "e\u0301", "0"])
def test_a_title_has_1_to_200_code_points(title: str) -> None:
    assert create(title=title).title == title


@pytest.mark.parametrize("title", ["", "x" * 201, BICYCLE * 201, "e\u0301" * 101])
def test_any_other_length_of_title_is_invalid(title: str) -> None:
    assert faulty_fields(title=title) == [("title",)]


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000"])
def test_a_title_is_trimmed_before_it_is_measured(space: str) -> None:
    assert create(title=f"{space}x{space}").title == "x"
    assert create(title=space * 300 + "x" * 200 + space).title == "x" * 200
    assert faulty_fields(title=space * 3) == [("title",)]


def test_white_space_inside_a_title_stays() -> None:
    assert create(title=" a \n b ").title == "a \n b"


@pytest.mark.parametrize("body", ["", " ", "  kept as it is \n", BICYCLE * 100_000])
def test_a_body_has_at_most_100_000_code_points_and_is_not_trimmed(body: str) -> None:
    assert create(body=body).body == body
    assert UpdateNote.model_validate_json(json.dumps({"note_id": NOTE, "body": body})).body == body


def test_a_body_of_one_more_is_invalid() -> None:
    assert faulty_fields(body=BICYCLE * 100_001) == [("body",)]
    with pytest.raises(ValidationError):
        UpdateNote.model_validate_json(json.dumps({"note_id": NOTE, "body": "x" * 100_001}))


@pytest.mark.parametrize("author", [None, "x", BICYCLE * 200, " as it is "])
def test_an_author_is_null_or_has_1_to_200_code_points(author: str | None) -> None:
    assert create(author=author).author == author


@pytest.mark.parametrize("author", ["", "x" * 201])
def test_any_other_author_is_invalid(author: str) -> None:
    assert faulty_fields(author=author) == [("author",)]


@pytest.mark.parametrize("text", ["\0", "a\0b", "\0a", "a\0", " \0 ", "line\n\0"])
@pytest.mark.parametrize("field", ["title", "body", "author"])
def test_nul_is_invalid_anywhere(field: str, text: str) -> None:
    assert faulty_fields(**{field: text}) == [(field,)]


def test_nul_is_invalid_in_a_tag_and_an_id() -> None:
    assert faulty_fields(tags=["a\0"]) == [("tags", 0)]
    assert faulty_fields(note_id=NOTE + "\0") == [("note_id",)]
    with pytest.raises(ValidationError):
        UpdateNote.model_validate_json(json.dumps({"note_id": NOTE, "body": "a\0"}))


def test_every_field_at_fault_is_named_at_once() -> None:
    assert faulty_fields(title="", body="\0", author="") == [("title",), ("body",), ("author",)]
