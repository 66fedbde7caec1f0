"""What the documentation shows of each answer."""

from typing import Any, Final

from notes_contracts.examples import CHANGED_AT, COMMAND_ID, CREATED_AT, NOTE_ID

CURSOR: Final = "AkwVInKf6AAAAZt8qY8uD4-tW9nLRp-hZXCGdyiVDg"
"""Of the list with the filters that the documentation shows."""
SEARCH_CURSOR: Final = "ApjQhFcnsD_xmZmZmZmaD4-tW9nLRp-hZXCGdyiVDg"
EVENT_ID: Final = "Ac_U2NUMEQQA5gEIDAkDHwUGAg"

NOTE: Final[dict[str, Any]] = {
    "id": NOTE_ID,
    "title": "Bread",
    "preview": "Flour, water, salt, and time.",
    "word_count": 5,
    "tags": ["kitchen"],
    "author": "someone",
    "status": "active",
    "version": 3,
    "created_at": CREATED_AT,
    "updated_at": CHANGED_AT,
}
BODY: Final[dict[str, Any]] = {"id": NOTE_ID, "version": 3, "body": "Flour, water, salt, and time."}
_SUMMARY: Final[dict[str, Any]] = {
    name: NOTE[name] for name in ("id", "title", "tags", "status", "version", "updated_at")
}
PAGE: Final[dict[str, Any]] = {"items": [_SUMMARY], "next_cursor": CURSOR}
FOUND: Final[dict[str, Any]] = {
    "items": [{**_SUMMARY, "snippet": "Flour, water, salt, and time."}],
    "next_cursor": None,
}
TAGS: Final[dict[str, Any]] = {"items": [{"tag": "kitchen", "count": 12}, {"tag": "garden", "count": 3}]}
HISTORY: Final[dict[str, Any]] = {
    "items": [
        {"version": 1, "type": "notes.event.note-created.v1", "occurred_at": CREATED_AT, "command_id": COMMAND_ID},
    ],
    "next_after_version": None,
}
OUTCOME: Final[dict[str, Any]] = {
    "command_id": COMMAND_ID,
    "note_id": NOTE_ID,
    "status": "accepted",
    "version": 1,
    "error": None,
    "at": CREATED_AT,
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
