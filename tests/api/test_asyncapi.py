"""The AsyncAPI documents: valid, whole, and true of the records that are on the topics."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from jsonschema import Draft202012Validator, FormatChecker

from notes_chassis.kafka.topic_settings import settings_of
from notes_contracts import COMMANDS, EVENTS, OUTCOMES, TOPICS
from notes_contracts import topics as contract
from notes_query.projections import READ_MODELS
from notes_query.rebuilding.builds import group_of
from notes_query.settings import Settings
from tests.contract.golden_file import golden
from tools.api_files import FOLDER

COMMAND, QUERY = "command-service.asyncapi.json", "query-service.asyncapi.json"
both = pytest.mark.parametrize("name", [COMMAND, QUERY])
OF_A_RECORD = {"ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_specversion"}
OF_ALL = OF_A_RECORD | {"ce_correlationid", "ce_causationid", "traceparent", "tracestate", "ce_authtype", "ce_authid"}


def committed(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return loaded


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for below in part.values():
            yield from references(below)
    elif isinstance(part, list):
        for below in part:
            yield from references(below)


def at(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def faults(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": document["components"]}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(value)]


@both
def test_a_document_is_asyncapi_3(name: str) -> None:
    document = committed(name)
    # FastStream takes the path of a server as required, which the standard does not.
    ApplicationSchema.model_validate({**document, "servers": None})
    assert document["servers"]["kafka"]["protocol"] == "kafka"
    for reference in references(document):
        at(document, reference)


@both
def test_every_message_has_headers_payload_key_and_an_example_that_fits(name: str) -> None:
    document = committed(name)
    for message in document["components"]["messages"].values():
        assert message["bindings"]["kafka"]["key"]["description"]
        assert message["title"]
        assert message["summary"]
        (example,) = message["examples"]
        assert faults(document, message["headers"], example["headers"]) == []
        assert faults(document, message["payload"], example["payload"]) == []


@both
def test_the_golden_messages_are_as_described(name: str) -> None:
    document = committed(name)
    typed = [ce_type for ce_type in document["components"]["messages"] if ce_type.startswith("notes.")]
    assert typed
    for ce_type in typed:
        message, record = document["components"]["messages"][ce_type], golden(ce_type)
        headers = {header: value.decode() for header, value in record.headers}
        assert faults(document, message["headers"], headers) == []
        assert faults(document, message["payload"], record.data) == []
        named = at(document, message["headers"]["allOf"][0]["$ref"])["properties"]
        assert headers.keys() <= named.keys()


def test_what_does_not_fit_is_seen() -> None:
    document = committed(COMMAND)
    message = document["components"]["messages"]["notes.command.tag-note.v1"]
    assert faults(document, message["headers"], {"ce_id": "1", "ce_type": "notes.command.tag-note.v1"})
    assert faults(document, message["headers"], {"ce_id": golden("notes.command.tag-note.v1").attributes["ce_id"]})
    assert faults(document, message["payload"], {"note_id": "x", "tag": "y"})


def test_every_topic_is_there_with_what_is_done_to_it() -> None:
    done = {
        name: {
            (operation["action"], at(document, operation["channel"]["$ref"])["address"])
            for operation in document["operations"].values()
        }
        for name in (COMMAND, QUERY)
        for document in [committed(name)]
    }
    assert done == {
        COMMAND: {
            ("receive", contract.COMMANDS_TOPIC.name),
            ("send", contract.COMMANDS_TOPIC.name),
            ("send", contract.EVENTS_TOPIC.name),
            ("send", contract.OUTCOMES_TOPIC.name),
            ("send", contract.COMMAND_DEAD_LETTERS_TOPIC.name),
        },
        QUERY: {
            ("receive", contract.EVENTS_TOPIC.name),
            ("receive", contract.OUTCOMES_TOPIC.name),
            ("send", contract.EVENT_DEAD_LETTERS_TOPIC.name),
        },
    }
    assert {address for all_of_one in done.values() for _, address in all_of_one} == {topic.name for topic in TOPICS}


def test_the_groups_are_those_that_read() -> None:
    document, prefix = committed(QUERY), Settings.model_fields["query_group"].default
    schemas = {
        name: shown["bindings"]["kafka"]["groupId"]
        for name, shown in document["operations"].items()
        if "bindings" in shown
    }
    assert schemas.keys() == {"receiveEvents", "receiveOutcomes"}
    for read_model in READ_MODELS.values():
        assert (
            faults(document, schemas["receiveEvents"], group_of(prefix, {read_model.name: read_model.version}, 12))
            == []
        )
    for wrong in (f"{prefix}-notes-v1", f"{prefix}-notes-v1-0", f"{prefix}-outcomes", f"other-{prefix}-notes-v1-1"):
        assert faults(document, schemas["receiveEvents"], wrong)
    assert schemas["receiveOutcomes"]["const"] == Settings.model_construct().outcomes_group


@both
def test_a_channel_has_the_numbers_of_its_topic(name: str) -> None:
    by_name = {topic.name: topic for topic in TOPICS}
    for channel in committed(name)["channels"].values():
        topic, kafka = by_name[channel["address"]], channel["bindings"]["kafka"]
        assert kafka["partitions"] == topic.partitions
        settings = {
            "cleanup.policy": [settings_of(topic, 1)["cleanup.policy"]],
            "retention.ms": topic.retention_ms,
            "max.message.bytes": topic.max_bytes,
        }
        assert kafka["topicConfiguration"] == settings


def test_every_message_type_is_there() -> None:
    messages = {message for name in (COMMAND, QUERY) for message in committed(name)["components"]["messages"]}
    assert messages == {*COMMANDS, *EVENTS, *OUTCOMES, "commandDeadLetters", "eventDeadLetters"}


def test_every_header_is_described() -> None:
    schemas = committed(COMMAND)["components"]["schemas"]
    assert schemas["CommandHeaders"]["properties"].keys() == OF_ALL | {"content-type", "redrive-of"}
    assert schemas["CommandHeaders"]["required"] == ["ce_id", "ce_type"]
    for kind in ("EventHeaders", "OutcomeHeaders"):
        assert schemas[kind]["properties"].keys() == OF_ALL | {"ce_sequence", "content-type"}
    added = {f"dead-letter-{name}" for name in ("code", "reason", "topic", "partition", "offset", "time")}
    assert schemas["DeadLetterHeaders"]["properties"].keys() == added
    assert set(schemas["DeadLetterHeaders"]["required"]) == added
    for kind in ("CommandHeaders", "EventHeaders", "OutcomeHeaders", "DeadLetterHeaders"):
        assert all(header["description"] for header in schemas[kind]["properties"].values())
