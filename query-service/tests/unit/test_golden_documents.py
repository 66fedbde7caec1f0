"""Golden events make golden documents: who changes what a read model stores raises its version."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from query_support import golden
from query_support.golden import FOLDER, complaint, golden_events, path_of, write_down

from notes_contracts import EVENTS
from notes_query.projecting.project_events import decode_event
from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import Index, ReadModel


@pytest.mark.parametrize("name", READ_MODELS)
def test_a_version_stores_what_was_written_down_of_it(name: str):
    path = path_of(READ_MODELS[name])
    assert path.exists(), f"write down what version {READ_MODELS[name].version} stores: {golden.__doc__}"
    assert complaint(READ_MODELS[name], json.loads(path.read_text(encoding="utf-8"))) is None


def test_there_are_events_of_every_type_and_files_of_nothing_else():
    assert {event.type for event in map(decode_event, golden_events())} > set(EVENTS)
    assert {path.name.rpartition("-v")[0] for path in FOLDER.glob("*.json")} == set(READ_MODELS)


def another_fold(read_model: ReadModel) -> ReadModel:
    evolve = read_model.evolve
    assert evolve is not None
    return replace(read_model, evolve=lambda document, event: {**evolve(document, event), "new": 1})


def another_entry(read_model: ReadModel) -> ReadModel:
    entry = read_model.entry
    assert entry is not None
    return replace(read_model, entry=lambda event: {**entry(event), "type": "another"})


def another_index(read_model: ReadModel) -> ReadModel:
    return replace(read_model, indexes=(*read_model.indexes, Index("by_version", (("version", 1),))))


CHANGES = [("notes", another_fold), ("history", another_entry), ("search", another_index)]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_a_change_without_a_new_version_is_refused_and_cannot_be_written_down(
    name: str, change: Callable[[ReadModel], ReadModel], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    read_model: Any = READ_MODELS[name]
    written = json.loads(path_of(read_model).read_text(encoding="utf-8"))
    said = complaint(change(read_model), written)
    assert said is not None
    assert f"Raise `version` to {read_model.version + 1}" in said

    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    monkeypatch.setattr(golden, "EVENTS", FOLDER / "events.jsonl")
    write_down(read_model)
    with pytest.raises(ValueError, match="Raise `version`"):
        write_down(change(read_model))
    newer = replace(change(read_model), version=read_model.version + 1)
    write_down(newer)
    assert complaint(newer, json.loads(path_of(newer).read_text(encoding="utf-8"))) is None
    assert json.loads(path_of(read_model).read_text(encoding="utf-8")) == written
