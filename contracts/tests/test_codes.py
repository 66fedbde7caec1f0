"""The codes and their HTTP statuses as they are promised, written out a second time."""

import pytest

from notes_contracts import HTTP_STATUS, Code, OutcomeError

OF_OUTCOMES = {
    "undecodable",
    "invalid",
    "note_already_exists",
    "note_not_found",
    "note_archived",
    "note_deleted",
    "too_many_tags",
    "version_conflict",
    "internal",
}
STATUS = {
    "note_not_found": 404,
    "note_already_exists": 409,
    "note_archived": 409,
    "version_conflict": 409,
    "note_deleted": 410,
    "invalid": 422,
    "too_many_tags": 422,
    "idempotency_key_reused": 422,
    "undecodable": 500,
    "internal": 500,
    "invalid_cursor": 400,
    "building": 503,
    "unsupported_media_type": 415,
    "too_many_requests": 429,
    # Cases that section 3 gives a status but no name:
    "unknown_command": 404,
    "too_large": 413,
    "unavailable": 503,
    "unauthenticated": 401,
    "forbidden": 403,
}
# What any HTTP server answers; not a matter of the contract.
OF_HTTP = {
    "command_not_found": 404,
    "dead_letter_not_found": 404,
    "dead_letters_held": 409,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "bad_request": 400,
}


def test_every_code_has_the_status_that_is_promised() -> None:
    assert {code.value: status for code, status in HTTP_STATUS.items()} == STATUS | OF_HTTP


def test_the_codes_of_outcomes_are_all_there() -> None:
    assert {code.value for code in Code} >= OF_OUTCOMES


def test_a_code_is_written_as_itself() -> None:
    assert all(code == code.value == str(code) == code.name.lower() for code in Code)


@pytest.mark.parametrize("code", sorted(OF_OUTCOMES))
def test_an_outcome_can_hold_each_of_its_codes(code: str) -> None:
    assert OutcomeError.model_validate_json(f'{{"code": "{code}", "message": "why"}}').code == code


def test_nobody_can_change_a_status_at_run_time() -> None:
    with pytest.raises(TypeError):
        HTTP_STATUS[Code.INVALID] = 400  # type: ignore[index]
