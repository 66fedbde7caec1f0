"""Events that wait are read when their turn comes; one that cannot be folded stands in nobody's way."""

from typing import Any

import pytest
from query_support.fixtures import Samples, Side

from notes_query.errors import BadDeploy, DocumentRefused
from notes_query.projecting import fold_read_model as module
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.project_events import MAX_BUGS, Isolate
from notes_query.projections.note import evolve


@pytest.fixture
def read_model(side: Side, samples: Samples) -> FoldReadModel:
    """Give a read model that cannot fold an event whose body is `bad`."""

    def fragile(document: Any, event: Any) -> Any:
        if getattr(event.data, "body", None) == "bad":
            raise ZeroDivisionError("the private text of a note")
        return evolve(document, event)

    return FoldReadModel("notes", fragile, side.notes, side.dead_letters, lambda: samples.start)


def waiting(samples: Samples, *versions: int, bad: tuple[int, ...] = ()) -> list[Any]:
    messages = [samples.updated(version=at, **({"body": "bad"} if at in bad else {})) for at in versions]
    return [
        samples.event(message)._replace(record=samples.record(message, offset=message.version)) for message in messages
    ]


@pytest.mark.parametrize("bad", [3, 4, 7, 300])
async def test_the_waiting_event_that_fails_is_the_dead_letter_and_not_the_one_that_freed_it(
    samples: Samples, side: Side, read_model: FoldReadModel, bad: int
):
    await read_model([samples.event(samples.created()), *waiting(samples, *range(3, 301), bad=(bad,))])

    counts = await read_model(waiting(samples, 2))

    document = side.notes.documents[samples.note]
    assert (document["version"], document["parked"]) == (bad - 1, bad < 300)
    assert counts.dead_lettered == 1
    assert list(side.dead_letters.dead_letters) == [f"events:0:{bad}"]
    assert "private" not in side.dead_letters.dead_letters[f"events:0:{bad}"].reason
    await read_model([samples.event(samples.snapshotted(version=bad))])
    assert (side.notes.documents[samples.note]["version"], await side.notes.count_parked()) == (300, (0, 0))


async def test_healing_goes_on_with_the_other_notes(samples: Samples, side: Side, read_model: FoldReadModel):
    await read_model([samples.event(samples.created()), *waiting(samples, 3, bad=(3,))])
    other = samples.other
    await read_model([samples.event(samples.created(other)), samples.event(samples.updated(other, 3))])
    for note in (samples.note, other):
        side.notes.documents[note]["version"] = 2

    counts = await read_model.heal_next()

    assert (counts.healed, counts.dead_lettered) == (1, 1)
    assert side.notes.documents[other]["version"] == 3


async def test_what_the_store_refuses_of_a_waiting_event_is_its_fault_too(samples: Samples, side: Side):
    write = side.notes.write

    async def refusing(writes: Any) -> Any:
        if any(document["body"] == "bad" for document in writes.replaces):
            raise DocumentRefused("code 2")
        return await write(writes)

    side.notes.write = refusing
    isolate = Isolate(side.project, side.dead_letters, lambda: samples.start)
    await isolate([samples.record(samples.created()), samples.record(samples.updated(version=3, body="bad"), offset=3)])

    await isolate([samples.record(samples.updated(version=2), offset=2)])

    assert list(side.dead_letters.dead_letters) == ["events:0:3"]
    assert side.notes.documents[samples.note]["version"] == 2


async def test_too_many_that_fail_are_a_bad_deploy_and_stay(samples: Samples, side: Side, read_model: FoldReadModel):
    notes = [samples.id(f"{number}") for number in range(MAX_BUGS + 5)]
    await read_model([samples.event(samples.updated(note, 2, body="bad"), name=f"{note} 2") for note in notes])

    with pytest.raises(BadDeploy):
        await read_model([samples.event(samples.created(note)) for note in notes])

    assert (await side.notes.count_parked())[0] >= 5
    assert all(side.notes.documents[note]["version"] == 1 for note in notes)


async def test_waiting_events_are_read_only_when_their_turn_has_come_and_in_slices(
    samples: Samples, side: Side, read_model: FoldReadModel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "SLICE_BYTES", 5_000)
    read: list[int] = []
    given = side.notes.waiting

    async def counted(*arguments: Any) -> Any:
        found = await given(*arguments)
        read.append(sum(len(one.record.value) for one in found))
        return found

    side.notes.waiting = counted
    messages = [samples.updated(version=at, body="x" * 1_000) for at in range(3, 103)]
    await read_model([samples.event(samples.created()), *map(samples.event, messages)])
    await read_model([samples.event(messages[-1]), samples.event(samples.updated(version=110))])
    assert read == []

    await read_model([samples.event(samples.updated())])

    assert side.notes.documents[samples.note]["version"] == 102
    assert len(read) > 15
    assert max(read) < 5_000 + 1_500


async def test_a_batch_leaves_to_healing_what_takes_too_long(
    samples: Samples, side: Side, read_model: FoldReadModel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "RELEASE_S", 0.0)
    await read_model([samples.event(samples.created()), *waiting(samples, 3, 4)])

    await read_model(waiting(samples, 2))
    assert (side.notes.documents[samples.note]["version"], side.notes.documents[samples.note]["parked"]) == (2, True)

    assert (await read_model.heal_next()).healed == 2
    assert (side.notes.documents[samples.note]["version"], side.notes.documents[samples.note]["parked"]) == (4, False)
