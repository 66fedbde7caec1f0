import json
from typing import Any

import pytest
from pydantic import ValidationError

from notes_contracts import CreateNote
from notes_contracts.fields import normalise_tag

NOTE = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"


def tags_of(tags: Any) -> tuple[str, ...]:
    return CreateNote.model_validate_json(json.dumps({"note_id": NOTE, "title": "Hello", "tags": tags})).tags


@pytest.mark.parametrize("tag", ["a", "0", "a-", "a--b", "to-do", "x" * 32, "2026-01-02"])
def test_a_tag_is_1_to_32_letters_digits_and_dashes(tag: str) -> None:
    assert tags_of([tag]) == (tag,)
    assert normalise_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", "-a", "x" * 33, "a b", "a_b", "ä", "a\n", " a", "a.b", "٣", "ß"])
def test_anything_else_is_no_tag(tag: str) -> None:
    with pytest.raises(ValidationError) as caught:
        tags_of(["fine", tag])
    assert [error["loc"] for error in caught.value.errors()] == [("tags", 1)]
    with pytest.raises(ValueError, match="a tag is"):
        normalise_tag(tag)


def test_a_tag_is_lower_cased() -> None:
    assert tags_of(["To-Do", "DONE"]) == ("to-do", "done")


def test_tags_keep_the_order_in_which_they_came_without_repeats() -> None:
    assert tags_of(["zebra", "apple", "Zebra", "mango", "APPLE", "zebra"]) == ("zebra", "apple", "mango")


def test_more_than_20_tags_are_a_matter_of_the_decision_not_of_the_shape() -> None:
    # Else `too_many_tags` could never be the answer to create-note.
    assert len(tags_of([f"tag-{n}" for n in range(25)])) == 25


@pytest.mark.parametrize("tags", [None, "a", {"a": 1}, [1], [None], [["a"]], [True]])
def test_tags_are_a_list_of_text(tags: Any) -> None:
    with pytest.raises(ValidationError):
        tags_of(tags)


def test_a_python_caller_may_pass_a_list_or_a_tuple() -> None:
    as_list = CreateNote.model_validate({"note_id": NOTE, "title": "Hello", "tags": ["b", "A"]})
    as_tuple = CreateNote(note_id=NOTE, title="Hello", tags=("b", "A"))
    assert as_list == as_tuple
    assert as_tuple.tags == ("b", "a")
