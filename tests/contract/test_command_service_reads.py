"""command-service reads the golden commands."""

from collections.abc import Callable

import pytest

from notes_command.pipeline.decode import decode
from notes_contracts import COMMANDS, Code
from tests.contract.golden_file import Golden, as_consumed, golden, structured, with_unknown_field

every_command = pytest.mark.parametrize("name", COMMANDS)


def as_it_is(message: Golden) -> Golden:
    return message


@every_command
@pytest.mark.parametrize("mode", [as_it_is, structured])
def test_a_golden_command_is_decoded_whole(name: str, mode: Callable[[Golden], Golden]) -> None:
    message = golden(name)
    envelope = decode(as_consumed(mode(message), "notes.commands"))
    assert envelope.error is None
    assert type(envelope.command) is COMMANDS[name]
    assert envelope.command.model_dump(mode="json") == message.data
    assert envelope.command_id == message.attributes["ce_id"].decode()
    assert envelope.note_id == message.key.decode()
    assert envelope.correlationid == message.attributes["ce_correlationid"].decode()
    assert envelope.traceparent == message.attributes["traceparent"].decode()


@every_command
def test_two_headers_and_a_key_are_enough(name: str) -> None:
    message = golden(name)
    required = tuple(pair for pair in message.headers if pair[0] in {"ce_id", "ce_type"})
    envelope = decode(as_consumed(Golden(message.key, required, message.value), "notes.commands"))
    assert envelope.command == COMMANDS[name].model_validate_json(message.value)


@every_command
@pytest.mark.parametrize("mode", [as_it_is, structured])
def test_a_field_nobody_knows_is_invalid_and_named(name: str, mode: Callable[[Golden], Golden]) -> None:
    message = mode(with_unknown_field(golden(name)))
    envelope = decode(as_consumed(message, "notes.commands"))
    assert envelope.error is not None
    assert envelope.error.code is Code.INVALID
    assert "colour: " in envelope.error.message
    assert envelope.command_id is not None


@every_command
def test_a_key_in_upper_case_is_the_same_note(name: str) -> None:
    message = golden(name)
    upper = Golden(message.key.upper(), message.headers, message.value)
    assert decode(as_consumed(upper, "notes.commands")).command is not None
