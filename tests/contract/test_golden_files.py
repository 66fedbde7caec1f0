"""Every message type has its golden file, and the files keep to the design whatever the code says."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from notes_contracts.messages import MESSAGES
from tests.contract.golden_file import FOLDER, golden

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
DASHED = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SNAPSHOT = "notes.event.note-snapshotted.v1"
every_file = pytest.mark.parametrize("name", NAMES)


def without_a_file(types: Iterable[str], folder: Path) -> set[str]:
    return set(types) ^ {path.stem for path in folder.iterdir()}


def test_every_message_type_has_a_golden_file_and_every_file_a_type() -> None:
    assert without_a_file(MESSAGES, FOLDER) == set()


def test_a_type_without_a_file_and_a_file_without_a_type_are_seen() -> None:
    some, last = sorted(MESSAGES)[:-1], max(MESSAGES)
    assert without_a_file([*MESSAGES, "notes.event.note-painted.v1"], FOLDER) == {"notes.event.note-painted.v1"}
    assert without_a_file(some, FOLDER) == {last}


@every_file
def test_the_headers_are_those_of_the_design(name: str) -> None:
    message = golden(name)
    attributes = message.attributes
    assert attributes["ce_type"] == name.encode()
    assert attributes["ce_specversion"] == b"1.0"
    assert attributes["content-type"] == b"application/json"
    assert DASHED.fullmatch(attributes["ce_id"])
    assert TIME.fullmatch(attributes["ce_time"])
    assert attributes["ce_subject"] == message.key == message.data["note_id"].encode()
    assert DASHED.fullmatch(message.key)


@every_file
def test_the_value_is_utf8_without_escaping_and_without_spaces(name: str) -> None:
    message = golden(name)
    assert message.value == json.dumps(message.data, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", [name for name in NAMES if ".command." not in name])
def test_what_we_write_names_its_cause_and_its_version(name: str) -> None:
    message = golden(name)
    attributes, data = message.attributes, message.data
    assert attributes["ce_source"] == b"/notes/command-service"
    if name == SNAPSHOT:  # nobody's command is its cause
        assert not {"ce_causationid", "ce_correlationid", "traceparent"} & set(attributes)
    else:
        assert DASHED.fullmatch(attributes["ce_causationid"])
        assert attributes["ce_correlationid"]
    assert attributes["ce_time"].decode() == data.get("occurred_at", data.get("at"))
    version = data["version"]
    assert attributes.get("ce_sequence") == (None if version is None else str(version).encode())


def test_the_id_of_a_snapshot_follows_from_its_note_and_version() -> None:
    message = golden(SNAPSHOT)
    of_it = uuid5(UUID(message.data["note_id"]), f"snapshot:{message.data['version']}")
    assert message.attributes["ce_id"].decode() == str(of_it)
    # Repeats are equal only if nothing in it tells when it was sent.
    assert message.data["occurred_at"] == message.data["updated_at"]


@pytest.mark.parametrize("name", [name for name in NAMES if ".outcome." in name])
def test_an_outcome_is_about_its_cause_and_of_its_status(name: str) -> None:
    message = golden(name)
    assert message.data["command_id"].encode() == message.attributes["ce_causationid"]
    assert name == f"notes.outcome.{message.data['status']}.v1"
    assert (message.data["error"] is None) == (message.data["status"] == "accepted")
