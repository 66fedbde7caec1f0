"""Golden events, and the documents that each version of a read model makes of them.

`python query-service/tests/query_support/golden.py` writes down what is new: a read model, a version, an event. It
never changes what is there: other documents are another version.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from notes_contracts import format_time
from notes_query.projecting.project_events import decode_event
from notes_query.projecting.stored_record import StoredRecord
from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import ReadModel, entry_id

FOLDER: Final = Path(__file__).parents[1] / "golden"
EVENTS: Final = FOLDER / "events.jsonl"


def golden_events() -> list[StoredRecord]:
    """Return the golden events, each note's in its order."""
    records = []
    for offset, line in enumerate(EVENTS.read_text(encoding="utf-8").splitlines()):
        one = json.loads(line)
        headers = tuple((name, value.encode()) for name, value in one["headers"].items())
        records.append(StoredRecord("notes.events", 0, offset, one["key"].encode(), one["value"].encode(), headers))
    return records


def stored_by(read_model: ReadModel) -> dict[str, Any]:
    """Return its indexes, and the document after each golden event."""
    documents: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    for event in map(decode_event, golden_events()):
        if read_model.entry is not None:
            document: Mapping[str, Any] = read_model.entry(event)
        else:
            assert read_model.evolve is not None
            document = notes[event.note_id] = read_model.evolve(notes.get(event.note_id), event)
        documents[entry_id(event)] = {name: _plain(value) for name, value in document.items()}
    indexes = [{one.name: _plain(getattr(index, one.name)) for one in fields(index)} for index in read_model.indexes]
    return {"indexes": indexes, "documents": documents}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def path_of(read_model: ReadModel) -> Path:
    """Return the file of a read model's version."""
    return FOLDER / f"{read_model.name}-v{read_model.version}.json"


def complaint(read_model: ReadModel, written: Mapping[str, Any]) -> str | None:
    """Return what is wrong if it does not store what was written down of its version; None if it does."""
    now, file = stored_by(read_model), path_of(read_model).name
    changed = [] if now["indexes"] == written["indexes"] else ["its indexes"]
    changed += [f"document {at}" for at, one in written["documents"].items() if now["documents"].get(at) != one]
    if changed:
        return (
            f"{read_model.name} stores something else than {file} says, and has the same version: {changed[0]}. "
            f"Raise `version` to {read_model.version + 1} where the read model is defined: the new version is built "
            "beside the old one, which the release before goes on serving (docs/add-a-read-model.md)"
        )
    if new := now["documents"].keys() - written["documents"].keys():
        return f"{file} lacks what {len(new)} golden events make: write it down with {Path(__file__).name}"
    return None


def write_down(read_model: ReadModel) -> None:
    """Write what is new; raise ValueError where something else stands."""
    path, now = path_of(read_model), stored_by(read_model)
    written = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {**now, "documents": {}}
    documents = {**now["documents"], **written["documents"]}
    if (found := complaint(read_model, {**written, "documents": documents})) is not None:
        raise ValueError(found)
    text = json.dumps({**written, "documents": documents}, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    for one in READ_MODELS.values():
        write_down(one)
