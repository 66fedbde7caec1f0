"""Notes that begin in a batch are taken to be new; where that is wrong, it comes to the same."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any

import pytest
from query_support.answers_lost import answers_lost
from query_support.fixtures import Samples, Side
from query_support.memory_notes import MemoryNotes

from notes_chassis.process import TURN_S
from notes_query.projecting.fold_read_model import FoldReadModel, likely_new_notes
from notes_query.projections.note import evolve
from notes_query.projections.read_model import Folded


class Watched(MemoryNotes):
    """Remembers whose documents were looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_for: list[set[str]] = []

    async def load(self, note_ids: Collection[str], events: Any, unseen: Collection[str] = ()) -> Any:
        self.looked_for.append(set(note_ids).difference(unseen))
        return await super().load(note_ids, events, unseen)


@pytest.fixture
def notes() -> Watched:
    return Watched()


@pytest.fixture
def told() -> list[tuple[str, int]]:
    """Give what was told to be stored."""
    return []


@pytest.fixture
def read_model(notes: Watched, side: Side, samples: Samples, told: list[tuple[str, int]]) -> FoldReadModel:
    def tell(documents: Any) -> None:
        told.extend((document["_id"], document["version"]) for document in documents)

    return FoldReadModel("notes", evolve, notes, side.dead_letters, lambda: samples.start, stored=tell)


@pytest.fixture
def fold(read_model: FoldReadModel, samples: Samples) -> Callable[..., Any]:
    return lambda *messages: read_model([samples.event(message) for message in messages])


def test_a_note_begins_where_its_first_versions_are_in_order_and_once(samples: Samples):
    def begun(*messages: Any) -> bool:
        other = samples.event(samples.created(samples.other))
        return likely_new_notes([other, *map(samples.event, messages)]) == {samples.other, samples.note}

    created, second, third = samples.created(), samples.updated(version=2), samples.updated(version=3)
    assert begun(created)
    assert begun(created, second, third)
    assert not begun(second)
    assert not begun(created, third)
    assert not begun(created, created)
    assert not begun(created, second, created)
    assert not begun(second, created, second)
    assert not begun(samples.snapshotted(version=1))


async def test_only_notes_that_do_not_begin_here_are_looked_for(fold: Any, notes: Watched, samples: Samples):
    await fold(samples.created())
    await fold(samples.created(samples.other), samples.updated())

    assert notes.looked_for == [set(), {samples.note}]
    assert {note_id: document["version"] for note_id, document in notes.documents.items()} == {
        samples.note: 2,
        samples.other: 1,
    }


async def test_events_read_again_change_nothing_and_what_is_there_is_told(
    fold: Any, notes: Watched, samples: Samples, told: list[tuple[str, int]]
):
    await fold(samples.created(), samples.updated(version=2))
    before: dict[str, Folded] = dict(notes.documents)
    told.clear()

    counts = await fold(samples.created())

    assert (counts.applied, counts.ignored, counts.forked) == (0, 1, 0)
    assert notes.documents == before
    assert told == [(samples.note, 2)]


@pytest.mark.parametrize("version", [1, 2], ids=["inserted", "replaced"])
async def test_what_was_stored_is_told_though_the_answer_to_the_write_was_lost(
    fold: Any, notes: Watched, samples: Samples, told: list[tuple[str, int]], version: int
):
    message = samples.created()
    if version > 1:
        await fold(message)
        message = samples.updated(version=version)
    told.clear()
    with answers_lost(notes, "write"):
        await fold(message)
    assert told == []

    await fold(message)
    assert told == [(samples.note, version)]


async def test_one_wrong_guess_and_documents_are_looked_for_until_notes_are_new_again(
    fold: Any, notes: Watched, samples: Samples
):
    a, b, c, d = (samples.created(samples.id(name)) for name in "abcd")
    await fold(a, b)
    notes.looked_for.clear()

    for message in (a, b, c, d):
        await fold(message)

    assert notes.looked_for == [set(), {a.note_id}, {b.note_id}, {c.note_id}, set()]


async def test_another_first_version_is_a_fork_and_what_follows_it_waits(
    fold: Any, read_model: FoldReadModel, notes: Watched, samples: Samples
):
    await fold(samples.created(title="the first"))
    another = samples.event(samples.created(title="another"), name="another")

    counts = await read_model([another, samples.event(samples.updated(version=2))])

    assert (counts.applied, counts.forked, counts.parked) == (0, 1, 1)
    document = notes.documents[samples.note]
    assert (document["title"], document["version"], document["parked"]) == ("the first", 1, True)
    assert list(notes.forks) == [(samples.note, 1, another.id)]


async def test_what_waits_is_not_lost_when_its_note_was_there(
    fold: Any, read_model: FoldReadModel, notes: Watched, samples: Samples
):
    await fold(samples.created(title="the first"), samples.updated(version=3))
    again = samples.event(samples.created(title="the first"))

    await read_model([again, samples.event(samples.updated(version=2))])

    assert notes.documents[samples.note] == samples.document(
        samples.created(title="the first"), samples.updated(version=2), samples.updated(version=3)
    )
    assert not notes.waiting_events


async def test_a_note_that_somebody_else_begins_meanwhile_is_folded_again(fold: Any, notes: Watched, samples: Samples):
    await fold(samples.created(samples.other))
    await fold(samples.created(samples.other))  # from now on documents are looked for
    load = notes.load

    async def overtaken(note_ids: Collection[str], events: Any, unseen: Collection[str] = ()) -> Any:
        loaded = await load(note_ids, events, unseen)
        notes.documents.setdefault(samples.note, samples.document(samples.created(), samples.updated(version=2)))
        return loaded

    notes.load = overtaken  # type: ignore[method-assign]
    await fold(samples.created(), samples.updated(version=2), samples.updated(version=3))

    assert notes.documents[samples.note] == samples.document(
        samples.created(), samples.updated(version=2), samples.updated(version=3)
    )


@pytest.mark.parametrize("notes_of_the_batch", [10, 1])
async def test_while_a_batch_is_folded_for_long_others_have_their_turn(
    notes: Watched, side: Side, samples: Samples, notes_of_the_batch: int
):
    had = folded_after = 0

    def slow(document: Any, event: Any) -> Any:
        nonlocal folded_after
        folded_after = had
        until = time.monotonic() + 1.5 * TURN_S
        while time.monotonic() < until:
            pass
        return evolve(document, event)

    async def other() -> None:
        nonlocal had
        while True:
            had += 1
            await asyncio.sleep(0)

    ids = [samples.id(str(number)) for number in range(notes_of_the_batch)]
    events = [samples.event(samples.created(id_)) for id_ in ids]
    events += [samples.event(samples.updated(ids[0], version=at)) for at in range(2, 12 - notes_of_the_batch)]
    others = asyncio.create_task(other())
    counts = await FoldReadModel("notes", slow, notes, side.dead_letters, lambda: samples.start)(events)
    others.cancel()

    assert counts.applied == 10
    assert folded_after >= 9
