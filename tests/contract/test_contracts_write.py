"""What the contracts write is the golden message, byte for byte and header for header."""

from typing import Any

import pytest

from notes_contracts import Written, write
from notes_contracts.messages import MESSAGES
from tests.contract.golden_file import Golden, golden


def rewritten(name: str, message: Golden) -> Written:
    model: Any = MESSAGES[name].model_validate_json(message.value)
    attributes = {header: value.decode() for header, value in message.headers}
    return write(
        model,
        id=attributes["ce_id"],
        source=attributes["ce_source"],
        time=attributes["ce_time"],
        correlationid=attributes.get("ce_correlationid"),
        causationid=attributes.get("ce_causationid"),
        traceparent=attributes.get("traceparent"),
    )


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_that_was_read_is_written_as_it_was(name: str) -> None:
    message = golden(name)
    written = rewritten(name, message)
    assert written.key == message.key
    assert written.value == message.value
    assert sorted(written.headers) == sorted(message.headers)
