"""Snapshots: what is in one, a run over all notes, and the HTTP request for one."""

import asyncio
import json
from uuid import UUID, uuid5

import pytest
from command_support.builders import TOPICS, note
from command_support.http_side import HttpSide, problem
from command_support.memory.database import MemoryDatabase, StoredRow
from command_support.memory.snapshots import MemorySnapshots

from notes_command.domain.note import Status
from notes_command.snapshots import republish
from notes_command.snapshots import routes as admin
from notes_command.snapshots.republish import republish_all, snapshot_row
from notes_contracts import EVENTS, partition_of

NOTE_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


@pytest.fixture
def database() -> MemoryDatabase:
    made = MemoryDatabase()
    for number in range(25):
        one = note(version=number + 1, status=Status.DELETED if number % 5 == 0 else Status.ACTIVE)
        made.notes[one.id] = one
    return made


@pytest.fixture
def snapshots(database: MemoryDatabase) -> MemorySnapshots:
    return MemorySnapshots(database, TOPICS.events)


def rows(database: MemoryDatabase) -> list[str]:
    return [stored.row.aggregateid for _, stored in sorted(database.outbox.items())]


def test_a_snapshot_is_as_the_contract_has_it_and_the_same_every_time() -> None:
    one = note(version=7, tags=("b", "a"), author=None, status=Status.ARCHIVED)
    row = snapshot_row(one, "events")
    assert row == snapshot_row(one, "events")
    assert row.id == str(uuid5(UUID(one.id), "snapshot:7"))
    assert (row.topic, row.aggregateid, row.subject, row.sequence) == ("events", one.id, one.id, 7)
    assert row.shard == partition_of(one.id.encode(), 12)
    assert row.payload is not None
    assert json.loads(row.payload) == {
        "note_id": one.id,
        "version": 7,
        "occurred_at": "2026-01-02T03:04:05.678Z",
        "title": "A title",
        "body": "a body",
        "tags": ["b", "a"],
        "author": None,
        "status": "archived",
        "created_at": "2026-01-02T03:04:05.678Z",
        "updated_at": "2026-01-02T03:04:05.678Z",
    }
    EVENTS[row.type].model_validate_json(row.payload)


async def test_all_notes_are_sent_once_deleted_ones_too(database: MemoryDatabase, snapshots: MemorySnapshots) -> None:
    seen: list[int] = []
    assert await republish_all(snapshots, 1e6, seen.append) == 25
    assert rows(database) == sorted(database.notes)
    assert seen == [25]
    assert snapshots.progress == {}, "a run that ended is not taken up again"


async def test_a_run_goes_on_where_one_was_killed(
    database: MemoryDatabase, snapshots: MemorySnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republish, "CHUNK", 10)

    def killed(total: int) -> None:
        if total == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await republish_all(snapshots, 1e6, killed)
    told: list[str] = []
    assert await republish_all(snapshots, 1e6, lambda _: None, told.append) == 5
    assert told == [sorted(database.notes)[19]]
    assert rows(database) == sorted(database.notes)


async def test_a_run_killed_long_ago_begins_anew(
    database: MemoryDatabase, snapshots: MemorySnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    await snapshots.after("all", None, 10)
    monkeypatch.setattr(republish, "RESUMED_S", 0.0)
    assert await republish_all(snapshots, 1e6, lambda _: None) == 25


async def test_a_second_run_at_once_shortens_none_and_begins_none_anew(
    database: MemoryDatabase, snapshots: MemorySnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republish, "CHUNK", 10)
    async with asyncio.timeout(5):
        first, second = await asyncio.gather(
            *(republish_all(snapshots, 1e6, lambda _: None) for _ in range(2)),
        )
    assert first == 25
    assert second <= 25
    assert set(rows(database)) == database.notes.keys()


async def test_live_traffic_goes_first(
    database: MemoryDatabase, snapshots: MemorySnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republish, "BACKLOG", 3)
    monkeypatch.setattr(republish, "POLL_S", 0.0)
    busy = snapshot_row(note(), "events")
    database.outbox = {-position: StoredRow(busy, 0.0) for position in range(1, 6)}
    sent: list[str] = []

    def drain(_: int) -> None:
        sent.extend(rows(database))
        database.outbox.clear()

    run = asyncio.create_task(republish_all(snapshots, 1e6, drain))
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(database.outbox) == 5, "nothing is added while the outbox is full"
    database.outbox.clear()
    async with asyncio.timeout(5):
        assert await run == 25
    assert sent == sorted(database.notes)


async def test_a_run_keeps_to_its_rate(snapshots: MemorySnapshots) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await republish_all(snapshots, 100.0, lambda _: None) == 25
    assert loop.time() - started >= 0.24


async def test_one_note_over_http(side: HttpSide) -> None:
    kept = note(version=3, status=Status.DELETED)
    side.database.notes[kept.id] = kept
    response = await side.client.post("/admin/republish", json={"note_id": kept.id.upper()})
    assert (response.status_code, response.json()) == (202, {"note_id": kept.id})
    assert rows(side.database) == [kept.id]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"{", (422, "invalid")),
        (b"[]", (422, "invalid")),
        (b"{}", (422, "invalid")),
        (b'{"note_id": 7}', (422, "invalid")),
        (b'{"note_id": "4711"}', (422, "invalid")),
        (b'{"note_id": "%s", "x": 1}' % NOTE_ID.encode(), (422, "invalid")),
        (b'{"note_id": "%s"}' % NOTE_ID.encode(), (404, "note_not_found")),
        (b" " * 2_200_000, (413, "too_large")),
    ],
)
async def test_a_request_that_cannot_be_met(side: HttpSide, body: bytes, answer: tuple[int, str]) -> None:
    response = await side.client.post("/admin/republish", content=body)
    assert (response.status_code, problem(response)["code"]) == answer


async def test_who_asks_too_often_is_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    side = HttpSide(own_routes=True)
    monkeypatch.setattr(admin, "PER_SECOND", 0.0)
    kept = note()
    side.database.notes[kept.id] = kept
    asked = [await side.client.post("/admin/republish", json={"note_id": kept.id}) for _ in range(101)]
    assert {response.status_code for response in asked[:100]} == {202}
    assert (asked[100].status_code, problem(asked[100])["code"]) == (429, "too_many_requests")
    assert int(asked[100].headers["retry-after"]) > 0
    assert len(side.database.outbox) == 100


def test_a_bucket_fills_again_up_to_its_burst() -> None:
    now = 0.0
    bucket = admin.Bucket(lambda: now)
    assert [bucket.take() for _ in range(101)] == [True] * 100 + [False]
    now = 0.1
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now = 3600.0
    assert [bucket.take() for _ in range(101)] == [True] * 100 + [False]
