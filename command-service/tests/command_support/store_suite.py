"""What every Store promises. The twin and PostgreSQL both run it, each with its own `world` fixture."""

import pytest
from command_support.builders import (
    NOW,
    TOPIC,
    create,
    created,
    dead_letter,
    envelope,
    new_id,
    note,
    outcome,
    outcome_message,
    source,
    updated_event,
)
from command_support.world import World

from notes_command.domain.note import Note, Status
from notes_command.errors import BadRow, Conflict
from notes_command.pipeline.decide import Outcome, Result
from notes_command.pipeline.process import BatchProcessor
from notes_contracts import Code

HARD_NOTES = {
    "tags that SQL arrays have words for": note(tags=("null", "true", "a-b", "0")),
    "no tags": note(tags=()),
    "no author": note(author=None),
    "an author that reads like null": note(author="NULL"),
    "quotes, braces, backslashes": note(title="{\"a\"} \\ 'b'", body="\\N\t\r\n$1 %s :x"),
    "beyond the basic plane": note(title="𝔘𝔫𝔦 🗒️", body="👩‍👩‍👧 e\u0301 \u202e \uffff", author="李"),
    "an empty body": note(body=""),
    "a deleted note": note(status=Status.DELETED, version=7),
    "a long body": note(body="ä" * 100_000),
}
OUTCOMES = {
    "accepted": outcome(),
    "of somebody": outcome(authtype="service_account", authid="{a},\"b\\ 'c'"),
    "rejected": outcome(status="rejected", version=None, code=Code.NOTE_DELETED, message="it was 'deleted'"),
    "rejected by a newer release": outcome(status="rejected", version=None, code="title_taken", message="it is taken"),
    "failed, nothing known": outcome(
        status="failed", version=None, note_id=None, digest=None, code=Code.UNDECODABLE, message="not JSON"
    ),
}


class StoreSuite:
    @pytest.mark.parametrize("kept", HARD_NOTES.values(), ids=HARD_NOTES.keys())
    async def test_a_note_comes_back_as_it_was_stored(self, world: World, kept: Note) -> None:
        await world.save(created(kept))
        assert await world.store.note(kept.id) == kept
        async with world.store.transaction(TOPIC, [0]) as unit:
            assert await unit.notes([kept.id, new_id()]) == {kept.id: kept}

    async def test_many_notes_in_one_result_keep_their_own_columns(self, world: World) -> None:
        await world.save(created(*HARD_NOTES.values()))
        assert [await world.store.note(kept.id) for kept in HARD_NOTES.values()] == list(HARD_NOTES.values())

    async def test_an_update_replaces_all_but_the_time_of_creation(self, world: World) -> None:
        first, other = note(), note()
        await world.save(created(first, other))
        after = note(id=first.id, body="new", tags=("null",), author=None, version=2, created_at=NOW.replace(year=2027))
        await world.save(Result(updated={first.id: after}))
        stored = await world.store.note(first.id)
        assert stored == note(id=first.id, body="new", tags=("null",), author=None, version=2)
        assert await world.store.note(other.id) == other

    @pytest.mark.parametrize("answer", OUTCOMES.values(), ids=OUTCOMES.keys())
    async def test_an_outcome_comes_back_as_it_was_stored(self, world: World, answer: Outcome) -> None:
        await world.save(Result(outcomes=[answer]))
        asked = [answer.command_id, new_id()]
        assert await world.store.outcomes(asked) == {answer.command_id: answer}
        assert (await world.store.read_without_locks(asked, []))[0] == {answer.command_id: answer}
        async with world.store.transaction(TOPIC, [0]) as unit:
            assert await unit.outcomes(asked) == {answer.command_id: answer}

    async def test_what_is_unknown_is_none(self, world: World) -> None:
        assert await world.store.note(new_id()) is None
        assert await world.store.outcomes([new_id()]) == {}
        assert await world.store.outcomes([]) == {}

    async def test_a_note_that_is_there_already_is_a_conflict(self, world: World) -> None:
        first = note(body="first")
        await world.save(created(first))
        with pytest.raises(Conflict):
            await world.save(created(note(), note(id=first.id, body="second")))
        assert await world.store.note(first.id) == first

    async def test_a_command_that_was_answered_already_is_a_conflict(self, world: World) -> None:
        first = outcome()
        await world.save(Result(outcomes=[first]))
        with pytest.raises(Conflict):
            await world.save(Result(outcomes=[outcome(command_id=first.command_id)]))
        assert await world.store.outcomes([first.command_id]) == {first.command_id: first}

    @pytest.mark.parametrize("bad", [{"body": "a\0b"}, {"title": "\ud800"}, {"version": 2**31}])
    async def test_a_value_that_cannot_be_stored_is_a_bad_row(self, world: World, bad: dict[str, object]) -> None:
        good = note()
        with pytest.raises(BadRow):
            await world.save(created(good, note(**bad)))
        assert await world.store.note(good.id) is None

    async def test_what_is_as_it_was_read_is_stored_without_locks_before(self, world: World) -> None:
        kept, other, known = note(), note(), outcome()
        await world.save(Result(created={kept.id: kept}, outcomes=[known]))
        outcomes, notes = await world.store.read_without_locks([known.command_id, new_id()], [kept.id, other.id])
        assert (outcomes, notes) == ({known.command_id: known}, {kept.id: kept})
        changed, answer = note(id=kept.id, body="new", version=2), outcome()
        event = updated_event(kept.id)
        result = Result({other.id: other}, {kept.id: changed}, [answer], [event, outcome_message(answer)])
        await world.store.save(TOPIC, [4, 1], result, notes)
        outcomes, notes = await world.store.read_without_locks([answer.command_id], [kept.id, other.id])
        assert (outcomes, notes) == ({answer.command_id: answer}, {kept.id: changed, other.id: other})
        assert [dict(row.headers)["ce_id"] for row in await world.rows()] == [event.id.encode(), answer.id.encode()]

    @pytest.mark.parametrize("is_told", [True, False])
    @pytest.mark.parametrize("meanwhile", ["a note has changed", "a note is there", "a command was answered"])
    async def test_what_has_changed_since_it_was_read_is_a_conflict_and_nothing_is_stored(
        self, world: World, meanwhile: str, *, is_told: bool
    ) -> None:
        first, second, new, answer = note(), note(), note(), outcome()
        await world.save(created(first, second))
        _, notes = await world.store.read_without_locks([answer.command_id], [first.id, second.id, new.id])
        taken = {
            "a note has changed": Result(updated={second.id: note(id=second.id, body="theirs", version=2)}),
            "a note is there": created(new),
            "a command was answered": Result(outcomes=[outcome(command_id=answer.command_id)]),
        }
        await world.save(taken[meanwhile])
        changed = {one.id: note(id=one.id, body="ours", version=2) for one in (first, second)}
        ours = Result({new.id: new}, changed, [answer], [updated_event(one) for one in changed if is_told])
        with pytest.raises(Conflict):
            await world.store.save(TOPIC, [0], ours, notes)
        assert await world.store.note(first.id) == first
        assert await world.rows() == []

    async def test_an_exception_takes_everything_back(self, world: World) -> None:
        kept, answer, one = note(), outcome(), dead_letter()
        result = Result(
            created={kept.id: kept}, outcomes=[answer], messages=[updated_event(kept.id)], dead_letters=[one]
        )

        async def save_and_fail() -> None:
            async with world.store.transaction(TOPIC, [0]) as unit:
                await unit.save(result)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await save_and_fail()
        assert await world.store.note(kept.id) is None
        assert await world.store.outcomes([answer.command_id]) == {}
        assert await world.rows() == []
        await world.save(result)
        assert len(await world.rows()) == 2, "the dead letter is new again"

    async def test_nothing_is_seen_before_the_commit(self, world: World) -> None:
        kept = note()
        async with world.store.transaction(TOPIC, [0]) as unit:
            await unit.save(Result(created={kept.id: kept}, messages=[updated_event(kept.id)]))
            assert await world.store.note(kept.id) is None
            assert await world.rows() == []
        assert await world.store.note(kept.id) == kept
        assert len(await world.rows()) == 1

    async def test_the_same_record_dead_lettered_twice_leaves_once(self, world: World) -> None:
        at = source(partition=3, offset=77)
        await world.save(Result(dead_letters=[dead_letter(source=at)]))
        await world.save(Result(dead_letters=[dead_letter(source=at), dead_letter()]))
        assert len(await world.rows()) == 2

    async def test_the_pipeline_stores_what_it_decides(self, world: World) -> None:
        command = envelope(create(title="𝔘", tags=["null"]))
        processor = BatchProcessor(world.store, now=lambda: NOW, new_id=new_id)
        (first,) = await processor.process([command])
        (again,) = await processor.process([command])
        assert (len(first.outcomes), again.outcomes, again.duplicates) == (1, [], 1)
        stored = await world.store.note(command.note_id or "")
        assert stored is not None
        assert (stored.title, stored.tags, stored.version) == ("𝔘", ("null",), 1)
        event, *answers = await world.rows()
        assert dict(event.headers)["ce_type"] == b"notes.event.note-created.v1"
        assert [row.value for row in answers] == [answers[0].value] * 2, "the first outcome, byte for byte"
        assert [row.headers for row in answers] == [answers[0].headers] * 2

    async def test_an_outcome_of_a_newer_release_is_resent_as_it_is(self, world: World) -> None:
        """Of releases that serve side by side, or after going back: this one need not know the code."""
        command, other = envelope(create()), envelope(create())
        theirs = outcome(command_id=command.command_id, status="rejected", code="title_taken", message="it is taken")
        await world.save(Result(outcomes=[theirs]))
        processor = BatchProcessor(world.store, now=lambda: NOW, new_id=new_id)
        (result,) = await processor.process([command, other])
        assert (result.duplicates, len(result.outcomes)) == (1, 1)
        again, *_ = await world.rows()
        assert b'"error":{"code":"title_taken","message":"it is taken"}' in (again.value or b"")
