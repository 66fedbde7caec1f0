"""What a projector remembers of what it has written is bounded in bytes."""

from typing import Any

from notes_query.projecting.recent_documents import LARGEST_BYTES, MANY, RecentDocuments


def document(note_id: str, body: str = "") -> Any:
    return {"_id": note_id, "version": 1, "body": body}


def kept(recent: RecentDocuments, *note_ids: str) -> list[str]:
    return sorted(recent.of(note_ids))


def test_those_written_last_are_kept_within_the_bound():
    recent = RecentDocuments(max_bytes=100_000)
    for number in range(50):
        recent.keep({f"{number}": document(f"{number}", "x" * 5_000)})

    found = recent.of(map(str, range(50)))
    assert list(found) == [f"{number}" for number in range(50 - len(found), 50)]
    assert 100_000 / 8_000 < len(found) < 100_000 / 6_500
    for number in range(50):
        recent.keep({"0": document("0", "y" * number)})
    assert len(recent.of(map(str, range(50)))) >= len(found), "one that is kept again counts once, as it is now"


def test_a_large_one_is_not_kept_and_drives_out_the_one_before_it():
    recent = RecentDocuments()
    recent.keep({"one": document("one"), "other": document("other")})
    recent.keep({"one": document("one", "x" * LARGEST_BYTES)})
    assert kept(recent, "one", "other") == ["other"]


def test_what_is_forgotten_is_not_given():
    recent = RecentDocuments()
    recent.keep({name: document(name) for name in ("one", "other", "third")})
    recent.forget(["one", "unknown"])
    assert kept(recent, "one", "other", "third") == ["other", "third"]


def test_of_many_at_once_none_is_kept_in_the_place_of_older_ones():
    recent = RecentDocuments()
    recent.keep({name: document(name) for name in ("0", "other")})
    recent.keep({f"{number}": document(f"{number}") for number in range(MANY)})
    assert kept(recent, "other", *map(str, range(MANY))) == ["other"]
