"""The relay: in order, only what was acknowledged is deleted, and one bad row costs its own note."""

import asyncio
from collections import deque

import pytest
from command_support.fake_producer import missing
from command_support.memory.outbox import MemoryOutbox
from command_support.relay_setting import A, B, C, Setting

from notes_chassis.health import Health
from notes_chassis.process import Backoff
from notes_command.errors import ProducerUnavailable, Unavailable
from notes_command.outbox import leases
from notes_command.outbox import relay as module
from notes_command.outbox.destinations import Destinations
from notes_command.outbox.producer import Sent
from notes_command.outbox.relay import Relay
from notes_command.outbox.row import Destination, Record
from notes_command.signals import Signal
from notes_contracts.topics import PARTITIONS
from tests.harness.waiting import eventually, stop


def refuse(position: int) -> Sent | None:
    return Sent([], "PolicyViolationError", refused=True) if position == 2 else None


async def test_everything_is_sent_in_order_to_each_destination_and_deleted() -> None:
    setting = Setting()
    await setting.store(A, C, A)
    await setting.store(B)
    assert await setting.relay.step() is False
    assert (sorted(setting.producer.calls), setting.left()) == ([[1, 3, 4], [2]], [])


async def test_nothing_is_read_while_the_leases_may_be_over_and_are_not_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting, answered = Setting(), asyncio.Event()
    await setting.relay.step()

    async def slow(outbox: MemoryOutbox) -> frozenset[int]:
        await answered.wait()
        return frozenset()

    monkeypatch.setattr(MemoryOutbox, "lease", slow)
    setting.relay.leases.leased_at -= leases.OVERDUE_S
    await setting.store(A)
    step = asyncio.create_task(setting.relay.step())
    for _ in range(20):
        await asyncio.sleep(0)
    assert (step.done(), setting.producer.calls) == (False, [])
    answered.set()
    await step
    assert (setting.producer.calls, setting.left()) == ([], [1]), "another has them"


async def test_a_full_batch_means_that_there_may_be_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    setting = Setting()
    await setting.store(A, B, A)
    assert await setting.relay.step() is True
    assert await setting.relay.step() is False
    assert setting.producer.calls == [[1, 2], [3]]


async def test_what_is_in_hand_is_bounded_in_bytes() -> None:
    setting = Setting(limit=10_000_000)
    for _ in range(3):
        await setting.store(A, body="x" * 5_000_000)
    assert await setting.relay.step() is True
    assert setting.producer.calls == [[1, 2]]


async def test_a_failure_keeps_what_was_not_acknowledged_and_parks_nothing() -> None:
    setting = Setting()
    await setting.store(A, B, A)
    setting.producer.fails = lambda record: missing(record) if record.position == 2 else None
    await setting.relay.step()
    assert (setting.left(), setting.parked()) == ([2, 3], [])
    await setting.relay.step()
    assert len(setting.producer.calls) == 1, "nothing more is sent there before it was waited"
    setting.producer.fails = lambda _: None
    await setting.settled()
    assert (setting.sent(), setting.left()) == ([1, 2, 3], [])


async def test_a_refused_record_is_parked_with_what_follows_of_its_note_and_the_rest_flows() -> None:
    setting = Setting()
    await setting.store(B, A, A, B, A, B)
    setting.producer.fails = lambda record: refuse(record.position)
    await setting.settled()
    assert (setting.sent(), setting.left(), setting.parked()) == ([1, 4, 6], [2, 3, 5], [2, 3, 5])
    assert setting.database.outbox[2].parked == "Kafka refuses it: PolicyViolationError"
    assert setting.database.outbox[3].parked == "an earlier record of this note is parked"
    assert setting.destinations.open_circuits == {}


async def test_what_is_stored_later_of_a_parked_note_is_parked_too_by_any_relay() -> None:
    setting = Setting()
    await setting.store(B, A)
    setting.producer.fails = lambda record: refuse(record.position)
    await setting.settled()
    setting.producer.fails = lambda _: None
    await setting.store(A, B)
    await setting.relay.step()
    assert (setting.sent(), setting.parked()) == ([1, 4], [2, 3])
    await setting.outbox.release()
    await setting.store(A, B)
    other = Destinations(Health())
    await Relay(MemoryOutbox(setting.database), setting.producer, Signal(), 10_000, other).step()
    assert (setting.sent(), setting.parked()) == ([1, 4, 6], [2, 3, 5])


async def test_what_is_too_large_is_parked_before_anything_is_sent() -> None:
    setting = Setting(limit=2_000)
    await setting.store(B)
    await setting.store(A, body="x" * 2_000)
    await setting.store(A, B)
    await setting.relay.step()
    assert setting.producer.calls == [[1, 4]]
    assert setting.parked() == [2, 3]
    assert "more than the limit of 2000" in (setting.database.outbox[2].parked or "")


async def test_only_the_shards_that_are_leased_are_sent() -> None:
    setting = Setting()
    await setting.store(A)
    other = MemoryOutbox(setting.database)
    await other.lease()
    assert await setting.relay.step() is False
    assert setting.producer.calls == []
    assert setting.left() == [1]


async def test_a_relay_that_ends_gives_its_shards_to_others_at_once() -> None:
    setting = Setting()
    await setting.relay.step()
    other = MemoryOutbox(setting.database)
    assert await other.lease() == frozenset()
    await setting.relay.release()
    assert len(await other.lease()) == PARTITIONS


async def test_run_sends_what_is_stored_while_it_waits_and_closes_the_producer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 60.0)
    setting = Setting()
    running = asyncio.create_task(setting.relay.run())
    await setting.store(A)
    setting.relay.signal.set()
    await eventually(lambda: setting.left() == [])
    await setting.store(B)
    setting.relay.signal.set()
    await eventually(lambda: setting.left() == [])
    await stop(running)
    assert (setting.sent(), setting.producer.closed) == ([1, 2], 1)


@pytest.mark.parametrize("error", [ProducerUnavailable("KafkaConnectionError"), Unavailable("no store")])
async def test_run_goes_on_after_a_failure(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "next", lambda _: 0.0)
    errors, step = [error, error], Relay.step

    async def failing(self: Relay) -> bool:
        if errors:
            raise errors.pop()
        return await step(self)

    monkeypatch.setattr(Relay, "step", failing)
    setting = Setting()
    await setting.store(A)
    running = asyncio.create_task(setting.relay.run())
    await eventually(lambda: setting.left() == [])
    await stop(running)
    assert setting.health.parts.get("relay") is None or setting.health.parts["relay"].ok


async def test_a_relay_is_well_again_once_another_instance_has_sent_what_it_could_not() -> None:
    setting = Setting()
    setting.relay.destinations.unreachable("Kafka: SaslAuthenticationFailed")
    assert not setting.health.parts["relay"].ok
    await setting.relay.step()
    assert setting.health.parts["relay"].ok


async def test_a_relay_that_is_stopped_deletes_what_it_has_just_sent() -> None:
    setting = Setting()
    await setting.store(A)
    sending, acknowledged = asyncio.Event(), asyncio.Event()
    send = setting.producer.send

    async def slow(destination: Destination, records: deque[Record]) -> Sent:
        sending.set()
        await acknowledged.wait()
        return await send(destination, records)

    setting.producer.send = slow  # type: ignore[method-assign]
    running = asyncio.create_task(setting.relay.run())
    await sending.wait()
    running.cancel()
    acknowledged.set()
    await asyncio.wait([running], timeout=5)
    assert (running.cancelled(), setting.left()) == (True, [])
