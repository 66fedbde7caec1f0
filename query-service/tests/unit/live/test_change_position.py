import contextlib

import pytest

from notes_chassis.http.limits import HEADER_BYTES
from notes_query.errors import InvalidCursor
from notes_query.live.pending_changes import PendingChanges
from notes_query.live.position import NAMED, NAMED_IN_ALL, StreamPosition, decode, encode, fingerprint
from notes_query.live.set_aside import Change

TOPIC = fingerprint("notes.events")
POSITIONS = [
    StreamPosition(TOPIC, (0,) * 12),
    StreamPosition(TOPIC, (0, 1, 127, 128, 300, 2**31, 2**62, 5, 5, 5, 5, 5)),
    StreamPosition(TOPIC, (10, 20, 30), ((0, 3), (0, 9), (2, 29))),
    StreamPosition(TOPIC, (10, 20, 30), tuple((partition, at) for partition in (0, 2) for at in range(NAMED))),
    StreamPosition(fingerprint("another"), (7,)),
]


@pytest.mark.parametrize("position", POSITIONS)
def test_a_position_survives_its_text(position: StreamPosition):
    text = encode(position)
    assert decode(text) == position
    assert text.isascii()
    assert not set(text) & set("+/= \r\n")


def test_a_text_is_short_enough_for_a_header():
    assert len(encode(StreamPosition(TOPIC, (5_000_000,) * 12))) < 80


GOOD = encode(POSITIONS[2])


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "not a position",
        "ü",
        GOOD[:-1],
        GOOD + "A",
        GOOD + "=",
        GOOD[:-2] + "_",
        "B" + GOOD[1:],
        "A" * 10_000,
        encode(StreamPosition(TOPIC, (1,) * 12)) + "AA",
        encode(StreamPosition(TOPIC, (10, 20), tuple((1, offset) for offset in range(NAMED + 1)))),
        encode(StreamPosition(TOPIC, (10, 20), ((1, 3), (0, 3)))),
        encode(StreamPosition(TOPIC, (10, 20), ((0, 3), (0, 3)))),
        "AWFiY2T___________8B",  # a count of partitions that no memory would hold
    ],
)
def test_what_was_not_given_out_is_refused(text: str):
    with pytest.raises(InvalidCursor):
        decode(text)


def test_whatever_is_not_refused_is_exactly_what_would_be_given_out():
    for length in range(200):
        for letter in "A_q9":
            text = "AQ" + letter * length
            with contextlib.suppress(InvalidCursor):
                assert encode(decode(text)) == text


def test_what_is_held_is_where_reading_begins():
    assert StreamPosition(TOPIC, (10, 20), ((0, 3), (0, 9))).starts() == [3, 20]


@pytest.mark.parametrize("partitions", [110, 1_100, 3_000])
def test_whatever_is_given_out_is_taken_however_many_partitions_there_are(partitions: int):
    """Everything waits; the last partitions, whose numbers are the longest, have more than a position names."""
    start, leaving, named = 2**34, range(partitions - 20, partitions), NAMED_IN_ALL // NAMED
    pending = PendingChanges(StreamPosition(TOPIC, (start,) * partitions))
    changes = [Change(f"{at}:{n}", 1, "t", None, at, start + n) for at in range(partitions) for n in range(10)]
    pending.add(changes, [start + 10] * partitions)
    for sent in pending.reached([(f"{at}:9", 1) for at in leaving]):
        last = sent.id
    position = decode(last)
    assert position == pending.position
    assert len(position.pending) == NAMED_IN_ALL
    assert position.starts() == [start] * partitions
    assert position.next == (start,) * leaving[0] + (start + NAMED,) * named + (start,) * (20 - named)
    assert len(last) < HEADER_BYTES * 0.7  # a token goes with it
