"""Dead letters as a person looks for them: the twin and MongoDB do the same."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from query_support.fixtures import Database, Samples

from notes_chassis.dead_letters import DeadLetterFilter, Position
from notes_contracts import Code
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing.dead_letter_store import DeadLetters

HOUR = timedelta(hours=1)


@pytest.fixture
def kept(request: pytest.FixtureRequest, stores: Any, database: Database) -> Any:
    return stores.dead_letters if hasattr(stores.dead_letters, "kept") else DeadLetters(database)


@pytest.fixture
async def dead_letters(samples: Samples, stores: Any) -> list[DeadLetter]:
    """Give letters of several kinds, the oldest first; two of them are of one time."""
    about = samples.record(samples.updated(), offset=10)
    other = samples.unknown(3, samples.other)._replace(offset=2, key=samples.other.encode())
    found = [
        DeadLetter(about, Code.INTERNAL, "a bug", samples.start),
        DeadLetter(other, Code.INTERNAL, "another bug", samples.start + HOUR),
        DeadLetter(about._replace(offset=11), Code.UNDECODABLE, "broken", samples.start + HOUR),
        DeadLetter(samples.raw(None, offset=3), Code.UNDECODABLE, "empty", samples.start + 2 * HOUR),
    ]
    await stores.dead_letters.add([found[2], found[0], found[3], found[1]])
    return found


@pytest.mark.parametrize(
    ("wanted", "offsets"),
    [
        (DeadLetterFilter(), [10, 2, 11, 3]),
        (DeadLetterFilter(reason="internal"), [10, 2]),
        (DeadLetterFilter(type="notes.event.note-updated.v1"), [10, 11]),
        (DeadLetterFilter(type="notes.event.note-coloured.v1"), [2]),
        (DeadLetterFilter(state="dropped"), []),
        (DeadLetterFilter(ids=(Position("events", 0, 3), Position("events", 0, 4))), [3]),
    ],
)
async def test_each_filter_finds_its_dead_letters_newest_first_and_without_their_records(
    *, kept: Any, dead_letters: Any, wanted: DeadLetterFilter, offsets: list[int]
):
    found = await kept.find(wanted, 10)

    assert [int(dead_letter.id.rpartition(":")[2]) for dead_letter in found] == offsets
    assert all(dead_letter.record is None for dead_letter in found)


async def test_filters_by_note_and_time_and_a_limit(samples: Samples, kept: Any, dead_letters: Any):
    of_note = await kept.find(DeadLetterFilter(subject=samples.note, since=samples.start + HOUR), 10)
    early = await kept.find(DeadLetterFilter(until=samples.start + HOUR), 10)

    assert [dead_letter.id for dead_letter in of_note] == ["events:0:11"]
    assert [dead_letter.id for dead_letter in early] == ["events:0:10"]
    assert len(await kept.find(DeadLetterFilter(), 2)) == 2


async def test_one_is_shown_whole_with_its_record_byte_for_byte(kept: Any, dead_letters: Any):
    dead_letter = await kept.whole(dead_letters[0].id)

    assert dead_letter.record == dead_letters[0].record
    assert (dead_letter.code, dead_letter.reason, dead_letter.at) == ("internal", "a bug", dead_letters[0].at)
    assert await kept.whole("events:0:99") is None


async def test_states_are_kept_with_their_time_and_tries(samples: Samples, stores: Any, kept: Any, dead_letters: Any):
    now = samples.start + 5 * HOUR
    await kept.close([dead_letters[0].id], "redriven", now)
    await kept.close([dead_letters[0].id], "redriven", now + HOUR)
    await kept.close([dead_letters[1].id], "dropped", now)
    await kept.failed_again(dead_letters[2].id, "internal", "again", now)

    shown = [await kept.whole(dead_letter.id) for dead_letter in dead_letters[:3]]
    assert [(one.state, one.tries, one.changed_at) for one in shown] == [
        ("redriven", 1, now),
        ("dropped", 0, now),
        ("open", 1, now),
    ]
    assert (shown[2].code, shown[2].reason) == ("internal", "again")
    assert await kept.by_state() == {"redriven": 1, "dropped": 1, "open": 2}


async def test_a_redriven_one_that_a_rebuild_gives_up_again_is_open_again_and_a_dropped_one_is_not(
    samples: Samples, stores: Any, kept: Any, dead_letters: Any
):
    await kept.close([dead_letters[0].id], "redriven", samples.start)
    await kept.close([dead_letters[1].id], "dropped", samples.start)

    await stores.dead_letters.add(
        [replace(dead_letter, at=samples.start + 9 * HOUR) for dead_letter in dead_letters[:2]]
    )

    states = [(await kept.whole(dead_letter.id)).state for dead_letter in dead_letters[:2]]
    assert states == ["open", "dropped"]
