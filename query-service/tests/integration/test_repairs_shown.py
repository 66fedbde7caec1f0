"""Gaps and forks are told as a whole, however few of them are asked for."""

from datetime import timedelta
from typing import Any

import pytest
from query_support.fixed_serving import FixedServing
from query_support.fixtures import Samples

from notes_query.commands import parse
from notes_query.commands.gaps import drop_forks, list_forks
from notes_query.mongo.database import Database
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.pending import Fork
from notes_query.repairing.forks import Forks
from notes_query.repairing.gaps import Gaps
from notes_query.repairing.missing_versions import MissingVersions

NOTES, OTHER = "notes_v2_1", "notes_v2_2"
SECOND = timedelta(seconds=1)


@pytest.fixture
def gaps(database: Database) -> Gaps:
    return Gaps(database, FixedServing({"notes": NOTES}))


async def kept_at(database: Database, collection: str, note: str, at: Any) -> None:
    await database[f"{collection}_parked"].update_many({"note_id": note}, {"$set": {"parked_at": at}})


async def test_of_a_note_is_told_what_waits_and_what_was_announced_also_if_it_is_one_of_many(
    database: Database, samples: Samples, gaps: Gaps
):
    """A waits since the first second and was announced in the last one; B the other way round."""
    a, b, missing = samples.note, samples.other, MissingVersions(database)
    waiting = [samples.event(samples.updated(note, version)) for note in (a, b) for version in (3, 4)]
    forks = [Fork(samples.event(samples.created(note), name="another"), 1) for note in (a, b)]
    documents = [samples.document(samples.created(note)) for note in (a, b)]
    await FoldStore(database, NOTES).write(Writes(inserts=documents, parks=waiting, forks=forks))
    await kept_at(database, NOTES, a, samples.start)
    await kept_at(database, NOTES, b, samples.start + 3 * SECOND)
    await missing.add({a: 7}, samples.start + 2 * SECOND)
    await missing.add({b: 8}, samples.start + SECOND)

    for limit in (1, 2, 3):
        of_each = [(await gaps.find(limit, note))[0] for note in (a, b)]
        assert await gaps.find(limit) == of_each[:limit]
    assert [(one.waiting, one.forks, one.stopped, one.awaited) for one in of_each] == [
        (2, 1, True, 7),
        (2, 1, True, 8),
    ]


async def test_a_note_is_told_of_the_documents_that_readers_get_and_of_others_only_if_it_is_complete_there(
    database: Database, samples: Any
):
    notes = here, forked, both, there = [samples.id(name) for name in ("here", "forked", "both", "there")]
    waiting = {note: [samples.event(samples.updated(note, 3))] for note in notes}
    documents = [samples.document(samples.created(note)) for note in notes]
    fork = Fork(samples.event(samples.created(forked), name="another"), 1)
    served, other = FoldStore(database, NOTES), FoldStore(database, OTHER)
    await served.write(Writes(inserts=documents, parks=waiting[here] + waiting[both], forks=[fork]))
    await other.write(Writes(parks=waiting[forked] + waiting[both] + waiting[there]))
    for place, note in enumerate(notes):
        for name in (NOTES, OTHER):
            await kept_at(database, name, note, samples.start + place * SECOND)

    async def others() -> list[str]:
        return [NOTES, OTHER]

    gaps = Gaps(database, FixedServing({"notes": NOTES}), others=others)

    expected = [(here, NOTES, 2), (forked, NOTES, None), (forked, OTHER, 1), (both, NOTES, 2), (there, OTHER, 1)]
    found = [(one.note_id, one.read_model, one.missing) for one in await gaps.find(9)]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert [one.note_id for one in await gaps.find(2)] == [here, forked]
    assert [one.note_id for one in await gaps.find(9, there)] == [there]
    paged, after = list[Any](), ""
    while page := await gaps.page(after, 1):
        paged += page[0]
        if not (after := page[1]):
            break
    assert sorted(paged, key=str) == sorted(await gaps.find(9), key=str)


@pytest.mark.parametrize("force", [True, False])
async def test_all_forks_are_dropped_however_many_and_what_is_cut_is_said(
    database: Database, samples: Samples, monkeypatch: pytest.MonkeyPatch, capsys: Any, *, force: bool
):
    """The oldest of them stop their notes."""
    monkeypatch.setattr("notes_query.commands.gaps.AT_ONCE", 2)
    notes = [samples.id(name) for name in "abcdefg"]
    found = [Fork(samples.event(samples.created(note), name="another"), 1) for note in notes]
    snapshots = [0, 0, 0, 2, 2, 0, 2]
    documents = [
        samples.document(samples.created(note)) | {"snapshot": at} for note, at in zip(notes, snapshots, strict=True)
    ]
    await FoldStore(database, NOTES).write(Writes(inserts=documents, forks=found))
    for place, note in enumerate(notes):
        await kept_at(database, NOTES, note, samples.start + place * SECOND)
    forks, healed = Forks(database, [NOTES]), set[str]()

    async def heal(note_ids: Any) -> None:
        healed.update(note_ids)

    async def run(*arguments: str) -> tuple[int, str, str]:
        parsed = parse(["forks", *arguments])
        code = await (list_forks(parsed, forks) if arguments[0] == "list" else drop_forks(parsed, forks, heal))
        said = capsys.readouterr()
        return code, said.out, said.err

    _, output, complaint = await run("list", "--limit", "2")
    assert (len(output.splitlines()), "may be more" in complaint) == (3, True)
    _, output, complaint = await run("drop", "--all", "--limit", "1", "--force")
    assert (output.splitlines(), "may be more" in complaint) == ([f"dropped {notes[0]}:1:{found[0].event.id}"], True)

    code, output, complaint = await run("drop", "--all", *(["--force"] if force else []))

    stopped = {note for note, at in zip(notes, snapshots, strict=True) if not at}
    assert {fork.note_id for fork in await forks.find(10)} == (set() if force else stopped - {notes[0]})
    assert (code, len(output.splitlines()), complaint.count("refused")) == ((0, 6, 0) if force else (1, 3, 3))
    assert healed == (stopped if force else {notes[0]})


async def test_a_fork_is_told_as_all_collections_have_it_also_if_it_is_one_of_many(
    database: Database, samples: Samples
):
    """The oldest of one collection is not that of another, and stops its note in one of them alone."""
    names = (NOTES, "search_v2_1")
    forks = Forks(database, names)
    found = [Fork(samples.event(samples.created(note), name="another"), 1) for note in (samples.note, samples.other)]
    for name, snapshot in zip(names, (9, 0), strict=True):
        documents = [samples.document(samples.created(one.event.note_id)) | {"snapshot": snapshot} for one in found]
        await FoldStore(database, name).write(Writes(inserts=documents, forks=found))
    for name, notes in zip(names, ((samples.note, samples.other), (samples.other, samples.note)), strict=True):
        for place, note in enumerate(notes):
            await kept_at(database, name, note, samples.start + place * SECOND)

    both = sorted(await forks.find(10), key=lambda fork: fork.id)
    (first,) = await forks.find(1)

    assert [(one.read_models, one.stopped, one.since) for one in both] == [(names, True, samples.start)] * 2
    assert [first] == await forks.find(1, first.note_id) == both[:1]
