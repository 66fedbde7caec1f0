from query_support.fixtures import Samples, Side

from notes_contracts import Code


async def test_one_bad_record_is_a_dead_letter_and_the_rest_of_the_batch_is_projected(samples: Samples, side: Side):
    bad = samples.raw(b"not an event", offset=7)

    counts = await side.project(
        [samples.record(samples.created()), bad, samples.record(samples.updated()), samples.unknown(3)]
    )

    assert (counts.applied, counts.dead_lettered) == (3, 1)
    assert side.notes.documents[samples.note]["version"] == 3
    (dead_letter,) = side.dead_letters.dead_letters.values()
    assert (dead_letter.id, dead_letter.code, dead_letter.record) == ("events:0:7", Code.UNDECODABLE, bad)
    assert "ce_id" in dead_letter.reason


async def test_a_bad_event_leaves_a_gap_and_the_later_ones_wait(samples: Samples, side: Side):
    broken = samples.record(samples.updated(version=2))._replace(value=b"{")

    await side.given([samples.record(samples.created()), broken, samples.record(samples.updated(version=3))])

    assert side.notes.documents[samples.note]["version"] == 1
    assert side.notes.documents[samples.note]["parked"] is True
    assert list(side.notes.waiting_events) == [(samples.note, 3)]


async def test_healing_applies_what_an_instance_that_stopped_half_way_left(samples: Samples, side: Side):
    await side.given([samples.record(samples.created()), samples.record(samples.updated(version=3))])
    side.notes.documents[samples.note] |= {"version": 2}

    counts = await side.fold.heal_next()

    assert counts.healed == 1
    assert side.notes.documents[samples.note]["version"] == 3
    assert side.notes.documents[samples.note]["parked"] is False
    assert not side.notes.waiting_events


async def test_a_waiting_event_that_can_no_longer_be_read_is_a_dead_letter(samples: Samples, side: Side):
    await side.given([samples.record(samples.created()), samples.record(samples.updated(version=3), offset=9)])
    event = side.notes.waiting_events[samples.note, 3]
    side.notes.waiting_events[samples.note, 3] = event._replace(record=event.record._replace(value=b"{"))

    counts = await side.project([samples.record(samples.updated(version=2))])

    assert (counts.applied, counts.dead_lettered) == (1, 1)
    assert side.notes.documents[samples.note]["version"] == 2
    assert not side.notes.waiting_events
    assert list(side.dead_letters.dead_letters) == ["events:0:9"]
