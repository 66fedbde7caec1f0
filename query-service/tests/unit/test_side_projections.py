"""Search and history: what the fold makes of events, and what is left after a deletion."""

from typing import Any

from query_support.fixtures import Samples

from notes_contracts import NoteArchived, NoteDeleted, NoteRenamed, NoteSnapshotted, NoteTagged, format_time
from notes_query.projecting.project_events import decode_event
from notes_query.projections import history, search
from notes_query.projections.folding import packed
from notes_query.projections.note import evolve as evolve_note


def folded(samples: Samples, *messages: Any, evolve: Any = search.evolve) -> Any:
    document = None
    for message in messages:
        document = evolve(document, samples.event(message))
    return document


def at(samples: Samples, version: int) -> dict[str, Any]:
    return {"note_id": samples.note, "version": version, "occurred_at": format_time(samples.at(version))}


def test_a_search_document_has_the_words_and_what_a_result_shows(samples: Samples):
    document = folded(
        samples,
        samples.created(),
        samples.updated(),
        NoteRenamed(title="Renamed", **at(samples, 3)),
        NoteTagged(tag="three", tags=("one", "three"), **at(samples, 4)),
        NoteArchived(**at(samples, 5)),
    )

    assert document == {
        "_id": samples.note,
        "version": 5,
        "event_id": samples.id(f"{samples.note}:5"),
        "ids": b"".join(packed(samples.id(f"{samples.note}:{version}")) for version in range(1, 6)),
        "snapshot": 0,
        "parked": False,
        "status": "archived",
        "title": "renamed",
        "tags": ["one", "three"],
        "body": "body 2",
        "author_key": "someone",
    }


def test_nothing_of_a_deleted_note_can_be_found(samples: Samples):
    document = folded(samples, samples.created(), NoteDeleted(**at(samples, 2)))

    assert (document["title"], document["tags"], document["body"]) == ("", [], "")
    assert document["status"] == "deleted"


def test_a_snapshot_gives_both_read_models_all_they_show(samples: Samples):
    times = {"created_at": format_time(samples.at(1)), "updated_at": format_time(samples.at(2))}
    content = {"title": "T", "body": "b", "tags": ("y", "x"), "author": None, "status": "active"}
    snapshot = NoteSnapshotted(**at(samples, 7), **content, **times)

    found = folded(samples, snapshot)
    assert (found["title"], found["tags"], found["body"], found["status"]) == ("t", ["y", "x"], "b", "active")
    assert folded(samples, snapshot, evolve=evolve_note)["tag_line"] == "x y"


def test_a_history_entry_says_what_happened_when_and_why(samples: Samples):
    assert history.entry(samples.event(samples.created())) == {
        "_id": f"{samples.note}:1",
        "note_id": samples.note,
        "version": 1,
        "event_id": samples.id(f"{samples.note}:1"),
        "type": "notes.event.note-created.v1",
        "occurred_at": samples.at(1),
        "command_id": samples.id("cause"),
    }


def test_an_event_of_an_unknown_type_has_an_entry_too(samples: Samples):
    timed = samples.unknown(2, ce_time="2026-01-02T03:04:05.678Z", ce_causationid=samples.id("cause").upper())
    entry = history.entry(decode_event(timed))
    assert (entry["type"], entry["occurred_at"]) == ("notes.event.note-coloured.v1", samples.start)
    assert entry["command_id"] == samples.id("cause")
    asked = history.entry(decode_event(samples.unknown(2, ce_authid="anna")))
    assert (asked["actor"], "actor" in entry) == ("anna", False)

    for no_time in ("yesterday", "0001-01-01T00:00:00+10:00"):
        bare = history.entry(decode_event(samples.unknown(2, ce_time=no_time, ce_causationid="me")))
        assert (bare["occurred_at"], bare["command_id"]) == (None, None)
