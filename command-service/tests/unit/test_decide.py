"""One batch, decided: each record once, in order, none at the cost of another."""

from datetime import datetime
from typing import Any

import pytest
from command_support.builders import NOW, create, envelope, new_id, note, outcome, refused_record, update

from notes_command.commands import HANDLERS, Handlers
from notes_command.domain.events import Event, NoteCreated, NoteUpdated
from notes_command.domain.note import Decision, Note
from notes_command.pipeline.decide import DecisionContext, Message, Outcome, Result, decide_batch
from notes_command.pipeline.decode import Envelope
from notes_contracts import Code, UpdateNote


def decide(
    *batch: Envelope, notes: tuple[Note, ...] = (), known: tuple[Outcome, ...] = (), handlers: Handlers = HANDLERS
) -> Result:
    present = DecisionContext({one.command_id: one for one in known}, {one.id: one for one in notes}, NOW)
    return decide_batch(batch, present, new_id, handlers)


def events(result: Result) -> list[Message]:
    return [message for message in result.messages if isinstance(message.content, Event)]


def answers(result: Result) -> list[Outcome]:
    return [message.content for message in result.messages if isinstance(message.content, Outcome)]


def statuses(result: Result) -> list[Code | str]:
    return [answer.code or answer.status for answer in answers(result)]


def test_an_accepted_command_leaves_note_event_and_outcome() -> None:
    command = envelope(create(), correlationid="corr", traceparent="trace")
    result = decide(command)
    (answer,) = result.outcomes
    (event,) = events(result)
    assert list(result.created) == [command.note_id]
    assert (answer.command_id, answer.note_id, answer.version) == (command.command_id, command.note_id, 1)
    assert (answer.status, answer.at, answer.digest, answer.code) == ("accepted", NOW, command.digest, None)
    assert isinstance(event.content, NoteCreated)
    assert (event.cause.command_id, event.cause.correlationid, event.cause.traceparent) == (
        command.command_id,
        "corr",
        "trace",
    )
    assert [type(message.content) for message in result.messages] == [NoteCreated, Outcome]
    assert len({event.id, answer.id}) == 2


def test_an_outcome_names_who_asked_first() -> None:
    first = envelope(create(), authtype="user", authid="anna")
    again = first._replace(authid="bert")
    result = decide(first, again)
    assert [(answer.authtype, answer.authid) for answer in answers(result)] == [("user", "anna")] * 2
    (event,) = events(result)
    assert event.cause.authid == "anna"


def test_a_command_twice_in_one_batch_has_one_effect_and_two_equal_answers() -> None:
    command = envelope(create())
    result = decide(command, command)
    assert (len(result.outcomes), len(events(result)), result.duplicates) == (1, 1, 1)
    assert answers(result) == [result.outcomes[0]] * 2


def test_a_known_command_is_answered_with_its_first_outcome_even_if_its_shape_is_now_bad() -> None:
    kept = note()
    first = outcome(status="rejected", code=Code.NOTE_NOT_FOUND, message="then", version=None)
    result = decide(
        envelope(update(kept.id, "new"), first.command_id),
        refused_record(Code.INVALID, first.command_id),
        refused_record(Code.UNDECODABLE, first.command_id),
        notes=(kept,),
        known=(first,),
    )
    assert answers(result) == [first] * 3
    assert (result.outcomes, result.dead_letters, result.updated, result.duplicates) == ([], [], {}, 3)


def test_stale_and_next_are_told_apart_inside_one_batch() -> None:
    kept = note(version=4)
    batch = [envelope(update(kept.id, f"b{expected}", expected_version=expected)) for expected in (4, 4, 5, 7)]
    result = decide(*batch, notes=(kept,))
    assert statuses(result) == ["accepted", Code.VERSION_CONFLICT, "accepted", Code.VERSION_CONFLICT]
    assert result.updated[kept.id].version == 6


def test_an_invalid_command_is_rejected_without_a_dead_letter() -> None:
    bad = refused_record(Code.INVALID, new_id(), note_id=new_id())
    result = decide(bad)
    (answer,) = result.outcomes
    assert (answer.status, answer.code, answer.message) == ("rejected", Code.INVALID, "why not")
    assert (answer.note_id, answer.version, answer.digest) == (bad.note_id, None, None)
    assert result.dead_letters == []


def test_what_cannot_be_decoded_fails_and_is_a_dead_letter() -> None:
    bad = refused_record(Code.UNDECODABLE, new_id())
    result = decide(bad)
    (dead_letter,) = result.dead_letters
    assert statuses(result) == [Code.UNDECODABLE]
    assert result.outcomes[0].status == "failed"
    assert (dead_letter.source, dead_letter.command_id, dead_letter.code, dead_letter.reason) == (
        bad.source,
        bad.command_id,
        Code.UNDECODABLE,
        "why not",
    )


def test_without_a_command_id_there_is_a_dead_letter_and_nobody_to_answer() -> None:
    result = decide(refused_record(Code.UNDECODABLE, None), refused_record(Code.UNDECODABLE, None))
    assert (len(result.dead_letters), result.outcomes, result.messages) == (2, [], [])


def test_bad_records_do_not_touch_their_neighbours() -> None:
    kept = note()
    result = decide(
        envelope(update(kept.id, "one")),
        refused_record(Code.UNDECODABLE, new_id()),
        refused_record(Code.INVALID, new_id()),
        envelope(update(kept.id, "two")),
        notes=(kept,),
    )
    assert statuses(result) == ["accepted", Code.UNDECODABLE, Code.INVALID, "accepted"]


def test_a_bug_costs_its_own_command_only() -> None:
    def explode(_: Note | None, command: UpdateNote, now: datetime) -> Decision:
        if command.body == "boom":
            raise KeyError("secret")
        return HANDLERS[UpdateNote](_, command, now)

    kept = note()
    batch = [envelope(update(kept.id, body)) for body in ("one", "boom", "two")]
    result = decide(*batch, notes=(kept,), handlers={**HANDLERS, UpdateNote: explode})
    assert statuses(result) == ["accepted", Code.INTERNAL, "accepted"]
    assert [dead_letter.source for dead_letter in result.dead_letters] == [batch[1].source]
    assert result.outcomes[1].message == "KeyError while deciding UpdateNote"
    assert [type(bug) for bug in result.bugs] == [KeyError]
    assert result.updated[kept.id].version == kept.version + 2


@pytest.mark.parametrize("body", ["same", "other"])
def test_a_command_that_changes_nothing_is_accepted_without_event_or_write(body: str) -> None:
    kept = note(body="same", version=7)
    result = decide(envelope(update(kept.id, body)), notes=(kept,))
    changed = body != "same"
    assert (len(events(result)), len(result.updated)) == (changed, changed)
    assert result.outcomes[0].version == 7 + changed


def test_two_updates_of_one_note_are_one_write_and_two_events() -> None:
    kept = note()
    result = decide(envelope(update(kept.id, "one")), envelope(update(kept.id, "two")), notes=(kept,))
    assert [(event.content.version, body(event)) for event in events(result)] == [(2, "one"), (3, "two")]
    assert list(result.updated.values()) == [note(id=kept.id, body="two", version=3)]
    assert result.created == {}


def test_a_note_created_and_updated_in_one_batch_is_created_in_its_last_state() -> None:
    command = create()
    result = decide(envelope(command), envelope(update(command.note_id, "last")), envelope(command))
    assert result.updated == {}
    assert (result.created[command.note_id].body, result.created[command.note_id].version) == ("last", 2)
    assert statuses(result) == ["accepted", "accepted", Code.NOTE_ALREADY_EXISTS]


def body(message: Message) -> Any:
    assert isinstance(message.content, NoteUpdated)
    return message.content.body
