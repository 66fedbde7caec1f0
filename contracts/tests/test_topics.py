"""The topics as they are promised, written out a second time."""

import dataclasses

import pytest

from notes_contracts import TOPICS

MIB = 1024 * 1024
DAY = 86_400_000
DESIGN = {
    "notes.commands": (12, 7 * DAY, 2 * MIB),
    "notes.events": (12, -1, 2 * MIB),
    "notes.command-outcomes": (12, 7 * DAY, 2 * MIB),
    "notes.commands.dead-letters": (1, 30 * DAY, 16 * MIB),
    "notes.events.dead-letters": (1, 30 * DAY, 16 * MIB),
}


def test_the_topics_are_those_that_are_promised() -> None:
    assert {topic.name: (topic.partitions, topic.retention_ms, topic.max_bytes) for topic in TOPICS} == DESIGN
    assert len(TOPICS) == len(DESIGN)


def test_a_dead_letter_holds_the_largest_record_with_room_for_what_is_added() -> None:
    largest = {topic.name: topic.max_bytes for topic in TOPICS}
    assert largest["notes.commands.dead-letters"] > largest["notes.commands"]
    assert largest["notes.events.dead-letters"] > largest["notes.events"]


def test_a_topic_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TOPICS[0].partitions = 1  # type: ignore[misc]
