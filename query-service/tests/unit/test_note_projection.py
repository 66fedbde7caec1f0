from typing import Any

import pytest
from query_support.fixtures import Samples

from notes_query.projecting.project_events import decode_event
from notes_query.projections.folding import packed
from notes_query.projections.note import evolve


def test_a_created_note_has_every_field_of_its_event(samples: Samples):
    document = samples.document(samples.created(title="T", body="a b\n c", tags=("x", "y"), author=None))

    assert document == {
        "_id": samples.note,
        "version": 1,
        "event_id": samples.id(f"{samples.note}:1"),
        "ids": packed(samples.id(f"{samples.note}:1")),
        "snapshot": 0,
        "parked": False,
        "status": "active",
        "title": "T",
        "body": "a b\n c",
        "preview": "a b\n c",
        "word_count": 3,
        "tags": ["x", "y"],
        "tag_line": "x y",
        "author": None,
        "author_key": None,
        "created_at": samples.at(1),
        "updated_at": samples.at(1),
    }


def test_an_update_changes_body_and_what_follows_from_it_and_nothing_else(samples: Samples):
    before = samples.document(samples.created())

    after = evolve(before, samples.event(samples.updated(body="new words here now")))

    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"version", "event_id", "ids", "body", "preview", "word_count", "updated_at"}
    assert (after["body"], after["word_count"], after["updated_at"]) == ("new words here now", 4, samples.at(2))


def test_evolve_leaves_what_it_was_given(samples: Samples):
    before = samples.document(samples.created(body="old"))

    evolve(before, samples.event(samples.updated()))

    assert (before["version"], before["body"]) == (1, "old")


@pytest.mark.parametrize(
    ("body", "preview", "words"),
    [
        ("", "", 0),
        (" \t\n ", " \t\n ", 0),
        ("é" * 100 + "x", "é" * 100, 1),
        ("😀 " * 60, "😀 " * 50, 60),
        ("a\u00a0b\u2003c", "a\u00a0b\u2003c", 3),
    ],
)
def test_preview_counts_characters_and_words_are_what_white_space_separates(samples: Samples, body, preview, words):
    document = samples.document(samples.created(body=body))

    assert (document["preview"], document["word_count"]) == (preview, words)


def test_an_unknown_event_advances_the_version_and_changes_nothing_else(samples: Samples):
    before = samples.document(samples.created())

    after = evolve(before, decode_event(samples.unknown(2)))

    changed: dict[str, Any] = {"version": 2, "event_id": samples.id(f"{samples.note}:2")}
    assert after == {**before, **changed, "ids": before["ids"] + packed(changed["event_id"])}


def test_a_note_that_begins_with_unknown_events_shows_up_once_a_known_one_says_what_it_is(samples: Samples):
    unknown = evolve(None, decode_event(samples.unknown(1)))
    assert (unknown["version"], unknown["status"]) == (1, "unknown")

    updated = evolve(unknown, samples.event(samples.updated(version=2, body="two words")))
    assert (updated["version"], updated["status"], updated["word_count"]) == (2, "unknown", 2)

    created = evolve(updated, samples.event(samples.created(version=3)))
    assert (created["version"], created["status"]) == (3, "active")
