"""What a batch costs MongoDB, counted: one more question for each event would be seen here, on any machine."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from motor.frameworks import asyncio as motor
from query_support.commands_sent import Commands, counted
from query_support.fixed_serving import FixedServing
from query_support.fixtures import Samples
from query_support.memory_dead_letters import MemoryDeadLetters

from notes_query.commands import parse
from notes_query.commands.gaps import drop_forks
from notes_query.mongo.database import Database
from notes_query.projecting.enter_read_model import EnterReadModel, EntryStore
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.pending import Fork
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.read_model_store import FEW
from notes_query.projecting.recent_documents import MANY
from notes_query.projecting.record_outcomes import OutcomeStore, ReachedVersions, RecordOutcomes
from notes_query.projecting.waiters import Waiters
from notes_query.projections import READ_MODELS
from notes_query.projections.history import entry
from notes_query.projections.note import READ_MODEL, evolve
from notes_query.reads.served import NoteReader
from notes_query.rebuilding import stored_documents
from notes_query.rebuilding.active_builds import ActiveBuilds, ActiveBuildWatch
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import Build
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.repairing.forks import Forks
from notes_query.repairing.gaps import Gaps
from notes_query.repairing.missing_versions import MongoAwaitedVersions

SIZES = (1, 10, 500)
MUCH = (1, 900)


@pytest.fixture(scope="module")
def listening() -> Iterator[Commands]:
    with counted() as commands:
        yield commands


@pytest.fixture
def sent(listening: Commands, database: Database) -> Counter[tuple[str, str]]:
    assert database, "its client is made after the listener"
    listening.sent.clear()
    listening.asked_bytes = 0
    return listening.sent


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What the driver's threads were given to do: each is two task switches, and waits for a core."""
    hops, submit = Counter[str](), motor._EXECUTOR.submit

    def counted(work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        hops["in all"] += 1
        return submit(work, *arguments, **named)

    monkeypatch.setattr(motor._EXECUTOR, "submit", counted)
    return hops


def clock() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_of_events_is_one_command_for_a_folded_read_model(
    size: int, sent: Counter[tuple[str, str]], database: Database, samples: Samples
) -> None:
    """The write: what is likely to be new, what waits for a gap, and few that were written last are not looked for."""
    dead_letters, store = MemoryDeadLetters(), FoldStore(database, "notes_v2_1")
    fold = FoldReadModel("notes", evolve, store, dead_letters, clock)
    project = ProjectEvents([fold], dead_letters, clock)
    notes = [samples.id(f"{number}") for number in range(size)]

    await project([samples.record(samples.created(note)) for note in notes])
    assert sent == {("aggregate", "notes_v2_1_parked"): 1, ("insert", "notes_v2_1"): 1}, "nothing is known at first"
    sent.clear()
    await project([samples.record(samples.created(samples.id(f"other {note}"))) for note in notes])
    await project([samples.record(samples.updated(note)) for note in notes])
    remembered = {} if size < MANY else {("find", "notes_v2_1"): 1}
    assert sent == {("insert", "notes_v2_1"): 1, ("update", "notes_v2_1"): 1, **remembered}
    sent.clear()
    store.forget()
    await project([samples.record(samples.updated(note, 3)) for note in notes])
    assert sent == {("find", "notes_v2_1"): 1, ("aggregate", "notes_v2_1_parked"): 1, ("update", "notes_v2_1"): 1}


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_of_events_is_one_command_for_a_read_model_of_entries(
    size: int, sent: Counter[tuple[str, str]], database: Database, samples: Samples
) -> None:
    dead_letters, store = MemoryDeadLetters(), EntryStore(database, "history_v1_1")
    project = ProjectEvents([EnterReadModel(entry, store)], dead_letters, clock)
    notes = [samples.id(f"{number}") for number in range(size)]
    await project([samples.record(samples.created(note)) for note in notes])
    await project([samples.record(samples.updated(note, at)) for note in notes for at in (2, 3, 5)])
    assert sent == {("insert", "history_v1_1"): 2}
    forks = [samples.record(samples.updated(note, 3), name="another") for note in notes]
    await project([*forks, *(samples.record(samples.snapshotted(note, 7)) for note in notes)])
    assert sent == {("insert", "history_v1_1"): 3}, "however long a history is, a fork or a snapshot reads none of it"
    sent.clear()
    for _ in range(2):
        await project([samples.record(samples.updated(note, at)) for note in notes for at in (2, 3)])
    assert sent == {("find", "history_v1_1"): 2}, "what is read again is looked for"
    for version in (8, 9):
        await project([samples.record(samples.updated(note, version)) for note in notes])
    assert sent == {("find", "history_v1_1"): 3, ("insert", "history_v1_1"): 2}


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_crosses_to_the_drivers_threads_once_for_each_command(
    size: int, hops: Counter[str], sent: Counter[tuple[str, str]], database: Database, samples: Samples
) -> None:
    dead_letters = MemoryDeadLetters()
    fold = FoldReadModel("notes", evolve, FoldStore(database, "notes_v2_1"), dead_letters, clock)
    enter = EnterReadModel(entry, EntryStore(database, "history_v1_1"))
    project = ProjectEvents([fold, enter], dead_letters, clock)
    notes = [samples.id(f"{number}") for number in range(size)]
    hops.clear()
    for make in (samples.created, samples.updated):
        await project([samples.record(make(note)) for note in notes])
    assert hops["in all"] == sent.total() == 3 + 2 + (size >= MANY), "many that were written last are read once"


@pytest.mark.parametrize("size", MUCH)
async def test_what_is_kept_beside_notes_is_asked_for_note_by_note_only_where_much_is_kept(
    size: int, listening: Commands, sent: Counter[tuple[str, str]], database: Database, samples: Samples
) -> None:
    """MongoDB would look each note of a batch up three times, which costs more than to store its document."""
    store = FoldStore(database, "notes_v2_1")
    notes = [samples.id(f"{number}") for number in range(size)]
    events = [samples.event(samples.updated(note, version=3)) for note in notes]
    await store.load(notes, events, notes)
    assert listening.asked_bytes < 1000
    await store.write(Writes(parks=events))
    sent.clear()
    for _ in range(2):
        _, pending = await store.load(notes, events, notes)
        assert {note: one.first for note, one in pending.items()} == dict.fromkeys(notes, 3)
    much = size > FEW
    assert sent[("aggregate", "notes_v2_1_parked")] == 2 + much, "the look that shows it, and then no such look again"


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_of_outcomes_is_one_command_and_another_for_what_is_not_stored_yet(
    size: int, sent: Counter[tuple[str, str]], database: Database, samples: Samples
) -> None:
    """The outcomes, and what they announce in one document."""
    outcomes, awaited, reached = OutcomeStore(database), MongoAwaitedVersions(database), ReachedVersions()
    record = RecordOutcomes(outcomes, MemoryDeadLetters(), Waiters(), clock, awaited, reached=reached)
    await record([samples.record(samples.outcome(f"{number}"), offset=number) for number in range(size)])
    assert sent == {("insert", "outcomes"): 1, ("insert", "awaited_versions"): 1}
    sent.clear()
    reached.add([{"_id": samples.note, "version": 1}])
    await record([samples.record(samples.outcome(f"{number}"), offset=number) for number in range(size, 2 * size)])
    assert sent == {("insert", "outcomes"): 1}


async def test_an_instance_asks_one_question_to_know_what_it_serves(
    sent: Counter[tuple[str, str]], database: Database
) -> None:
    """And says what it serves when that has changed, and every four seconds."""
    builds, served = BuildStore(database, READ_MODELS), ActiveBuilds()
    watch = ActiveBuildWatch("one", builds, served, lambda: [1], answers=True)
    build = Build(1, "notes", {"notes": 1}, "group", "complete", {}, clock())
    assert await builds.add(build)
    await builds.point("notes", 1, clock())
    sent.clear()
    for _ in range(3):
        await watch.step()
    assert sent == {
        ("aggregate", "active_builds"): 3,
        ("update", "running_instances"): 1,
    }
    assert served.builds == await builds.served()
    assert served.builds["notes"].number == 1


async def test_where_nothing_is_amiss_two_questions_tell_so(sent: Counter[tuple[str, str]], database: Database) -> None:
    """They are asked every few seconds: of an idle process they are most of the work."""
    gaps = Gaps(database, FixedServing({"notes": "notes_v2_1"}))
    assert await gaps.page("", 10) == ([], "")
    assert sent == {("find", "missing_versions"): 1, ("aggregate", "notes_v2_1_parked"): 1}
    sent.clear()
    assert await DeadLetters(database).by_state() == {}
    assert sent == {("aggregate", "dead_letters"): 1}


async def test_each_fork_is_read_twice_however_many_may_not_be_dropped(
    sent: Counter[tuple[str, str]], listening: Commands, database: Database, samples: Any, monkeypatch: Any
) -> None:
    """Once its id, once whole. All stop their notes, and dropping them is not forced."""
    monkeypatch.setattr("notes_query.commands.gaps.AT_ONCE", 10)
    notes = [samples.id(str(number)) for number in range(100)]
    await FoldStore(database, "notes_v2_1").write(
        Writes(forks=[Fork(samples.event(samples.created(note)), 0) for note in notes])
    )
    listening.found = 0
    sent.clear()

    async def heal(healed: Collection[str]) -> None:
        assert not healed

    code = await drop_forks(parse(["forks", "drop", "--all"]), Forks(database, ["notes_v2_1"]), heal)

    assert (code, listening.found) == (1, 2 * len(notes))
    assert sent["find", "notes_v2_1_parked"] == 1 + len(notes) // 10


async def test_a_comparison_reads_each_chunk_of_both_once(
    sent: Counter[tuple[str, str]], database: Database, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_documents, "CHUNK", 10)
    documents = [samples.document(samples.created(samples.id(f"{number}"))) for number in range(36)]
    await FoldStore(database, "notes_v2_1").write(Writes(inserts=documents[:35]))
    await FoldStore(database, "notes_v2_2").write(Writes(inserts=documents))
    sent.clear()
    assert await stored_documents.StoredDocuments(database).behind(READ_MODEL, "notes_v2_1", "notes_v2_2") == {}
    assert sent == {("find", "notes_v2_1"): 4, ("find", "notes_v2_2"): 4}


async def test_notes_asked_for_in_one_moment_are_two_commands_and_one_of_them_alone_is_one(
    samples: Samples, database: Database, sent: Counter[tuple[str, str]], hops: Counter[str]
):
    """Whoever asks while nobody else does is asked for at once."""
    reader = NoteReader(database, FixedServing({"notes": "notes_v2_1"}))
    ids = [samples.id(f"{number}") for number in range(100)]
    documents = [samples.document(samples.created(note_id)) for note_id in ids]
    await FoldStore(database, "notes_v2_1").write(Writes(inserts=documents))
    sent.clear()
    hops.clear()

    found = await asyncio.gather(*map(reader.view, ids))

    assert [note and note["_id"] for note in found] == ids
    assert (sent, hops["in all"]) == ({("find", "notes_v2_1"): 2}, 2)
    assert await reader.view(ids[0]) == found[0]
    assert (sent, hops["in all"]) == ({("find", "notes_v2_1"): 3}, 3)
