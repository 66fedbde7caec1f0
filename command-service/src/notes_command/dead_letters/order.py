"""The order in which dead letters of one note were read."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from notes_chassis.dead_letters import Position
from notes_command.dead_letters.dead_letter import StoredDeadLetter

CLOCKS: Final = timedelta(minutes=1)
"""How far the clocks of two instances may differ. Further apart, times tell the order: a topic that was made anew gives
its offsets anew."""


def in_order(dead_letters: Iterable[StoredDeadLetter]) -> list[StoredDeadLetter]:
    """Sort each note's by offset, which is exact; by time where another topic begins, or the same one made anew."""
    found = sorted(dead_letters, key=attrgetter("at"))
    began = dict[Position, datetime]()
    highest = dict[tuple[object, ...], StoredDeadLetter]()
    for one in found:
        place = one.note_id, *one.position[:2]
        top = highest.get(place, one)
        anew = top is one or (one.source.offset <= top.source.offset and one.at - top.at > CLOCKS)
        began[one.position] = one.at if anew else began[top.position]
        if anew or one.source.offset > top.source.offset:
            highest[place] = one
    return sorted(found, key=lambda one: (began[one.position], one.position))
