"""Traces on the write side: event and outcome continue the decision's span, and what is sent stays byte for byte."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from command_support.builders import NOW, TOPICS, clocks_agree, new_id
from command_support.failing_store import FailingStore, Fails
from command_support.http_side import HttpSide
from command_support.kafka_records import COMMAND_ID, NOTE_ID, Record, binary, created, updated
from command_support.memory.database import MemoryDatabase
from command_support.memory.store import MemoryStore
from command_support.relay_setting import A, C, Setting
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from notes_chassis.kafka.lag import Tracker
from notes_chassis.kafka.partitions import PartitionsSetAside
from notes_command.commands import HANDLERS
from notes_command.errors import BadRow, Blocked, Conflict, StoreError, Unavailable
from notes_command.outbox.row import OutboxRow, row_headers, unpack_headers
from notes_command.pipeline.batches import CommandBatches
from notes_command.pipeline.process import BatchProcessor
from notes_contracts import CreateNote
from tests.harness.spans import SAMPLED, SENDER, TRACE, UNSAMPLED, Spans, in_memory, links_of, parent_of, place_of


def record(traceparent: str | None = SAMPLED, tracestate: str | None = None, **more: Any) -> Record:
    pairs = (("traceparent", traceparent), ("tracestate", tracestate))
    return binary(created(), more=tuple((name, text.encode()) for name, text in pairs if text), **more)


class Side:
    """The pipeline over the twin; `fails` as FailingStore's."""

    def __init__(
        self, spans: Spans | None, fails: Fails = lambda _: None, database: MemoryDatabase | None = None
    ) -> None:
        self.database = database or MemoryDatabase()
        self.processor = BatchProcessor(FailingStore(MemoryStore(self.database, TOPICS), fails), lambda: NOW, new_id)
        tracing = None if spans is None else spans.tracing
        tracker = Tracker("group", lambda: datetime.now(UTC))
        self.batches = CommandBatches(self.processor, lambda _: None, tracker, clocks_agree, tracing)

    def rows(self) -> list[OutboxRow]:
        return [stored.row for stored in self.database.outbox.values()]


def errors(*first: StoreError | None) -> Fails:
    left = iter(first)
    return lambda _: next(left, None)


def headers_of(row: OutboxRow) -> dict[str, bytes | None]:
    return dict(row_headers(row) if row.headers is None else unpack_headers(row.headers))


async def test_event_and_outcome_continue_the_span_of_the_decision() -> None:
    side = Side(spans := in_memory())
    await side.batches([record(tracestate="vendor=1")])
    (decided,), (batch,) = spans.named("decide"), spans.named("process")
    assert (decided.name, parent_of(decided)) == ("decide notes.commands", (TRACE, SENDER))
    attributes = decided.attributes or {}
    assert attributes["messaging.message.id"] == COMMAND_ID
    assert (attributes["notes.outcome"], attributes["messaging.kafka.offset"]) == ("accepted", 42)
    assert links_of(batch) == [(TRACE, SENDER)]
    trace, span = place_of(decided.context)
    for row in side.rows():
        found = headers_of(row)
        assert (found["traceparent"], found["tracestate"]) == (f"00-{trace}-{span}-01".encode(), b"vendor=1")


@pytest.mark.parametrize("traceparent", [SAMPLED, UNSAMPLED, None])
@pytest.mark.parametrize("spans", [None, in_memory(ParentBased(ALWAYS_OFF)), in_memory(ALWAYS_OFF)])
async def test_what_is_not_sampled_is_continued_as_it_came(spans: Spans | None, traceparent: str | None) -> None:
    if spans is not None and traceparent == SAMPLED and "Parent" in spans.tracing._provider.sampler.get_description():
        return  # that one is sampled
    side = Side(spans)
    await side.batches([record(traceparent, "vendor=1")])
    assert {row.traceparent for row in side.rows()} == {traceparent}
    assert [headers_of(row).get("tracestate") for row in side.rows()] == [traceparent and b"vendor=1"] * 2
    assert spans is None or not spans.named("decide")


@pytest.mark.parametrize("error", [Conflict("changed"), Unavailable("gone"), BadRow("no")])
async def test_what_is_decided_again_is_the_same_and_one_span(error: StoreError) -> None:
    spans = in_memory()
    side, first = Side(spans, errors(error)), Side(spans)
    await first.batches([record()])
    (once,) = {row.traceparent for row in first.rows()}
    spans.kept.clear()
    if isinstance(error, Unavailable):
        with pytest.raises(Unavailable):
            await side.batches([record()])
        assert spans.names() == ["process notes.commands"], "nothing is stored, so nothing is decided"
    await side.batches([record()])
    assert {row.traceparent for row in side.rows() if row.topic != TOPICS.dead_letters} == {once}
    assert len(spans.named("decide")) == 1


async def test_a_record_that_comes_again_after_a_crash_gets_the_same_outcome_byte_for_byte() -> None:
    side = Side(in_memory())
    await side.batches([record(), record(offset=43, ce_id=new_id().encode())])
    before = side.rows()
    again = Side(in_memory(), database=side.database)
    await again.batches([record()])
    outcome = next(row for row in before if row.topic == TOPICS.outcomes)
    assert again.rows()[len(before) :] == [outcome]
    assert headers_of(again.rows()[-1]) == headers_of(outcome)


async def test_each_span_says_what_came_of_its_command() -> None:
    def buggy(*_: object) -> Any:
        raise ZeroDivisionError("text of a note")

    spans = in_memory()
    side = Side(spans)
    offered = [
        record(),
        binary(
            updated(note_id=NOTE_ID), ce_id=new_id().encode(), ce_type=b"x", more=(("traceparent", SAMPLED.encode()),)
        ),
        binary(created(), ce_id=None, offset=44, more=(("traceparent", SAMPLED.encode()),)),
    ]
    await side.batches([one if place == 0 else replaced(one, place) for place, one in enumerate(offered)])
    side.processor.handlers = {**HANDLERS, CreateNote: buggy}
    await side.batches([record(offset=50, ce_id=new_id().encode())])
    found = [(one.attributes or {}).get("notes.outcome") for one in spans.named("decide")]
    assert found == ["accepted", "failed", "failed", "failed"]
    kinds = [(one.attributes or {}).get("error.type") for one in spans.named("decide")]
    assert kinds == [None, "undecodable", "undecodable", "internal"]
    assert "text of a note" not in "".join(one.to_json() for one in spans.kept.get_finished_spans())
    for dead_letter in side.database.dead_letters.values():
        assert dict(dead_letter.source.headers)["traceparent"] == SAMPLED.encode(), "a dead letter is what it was"


def replaced(one: Record, place: int) -> Record:
    one.offset = 42 + place
    return one


async def test_only_what_is_stored_ends_its_span() -> None:
    spans = in_memory()
    blocked = [Blocked("held"), None, *[Blocked("held")] * 20]
    side = Side(spans, errors(*blocked))
    batch = [record(partition=3), record(partition=7, offset=1, ce_id=new_id().encode())]
    with pytest.raises(PartitionsSetAside):
        await side.batches(batch)
    assert len(spans.named("decide")) == 1


async def test_a_step_of_the_relay_is_one_span_linked_to_what_it_sends() -> None:
    spans, setting = in_memory(), Setting()
    setting.relay.tracing = spans.tracing
    await setting.store(A, C)
    await setting.relay.step()
    (sent,) = spans.named("send")
    assert (sent.name, sent.links, setting.left()) == ("send notes.events", (), [])
    side = Side(spans, database=setting.database)
    await side.batches([record()])
    await setting.relay.step()
    sent = spans.named("send")[-1]
    assert sent.name == "send"
    assert links_of(sent) == [place_of(spans.named("decide")[0].context)] * 2
    assert (sent.attributes or {})["messaging.batch.message_count"] == 2


async def posted(spans: Spans | None, headers: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    side = HttpSide(working=False, tracing=None if spans is None else spans.tracing)
    data = {"note_id": NOTE_ID, "title": "T"}
    assert (await side.client.post("/commands/create-note", json=data, headers=headers)).status_code == 202
    await side.client.aclose()
    return dict(side.sent[0].headers)


async def test_the_gateways_span_is_the_parent_of_the_command_on_kafka() -> None:
    spans = in_memory()
    sent = await posted(spans, [("traceparent", SAMPLED), ("tracestate", "a=1")])
    (request,) = spans.kept.get_finished_spans()
    assert (request.name, parent_of(request)) == ("POST /commands/create-note", (TRACE, SENDER))
    trace, span = place_of(request.context)
    assert (sent["traceparent"], sent["tracestate"]) == (f"00-{trace}-{span}-01".encode(), b"a=1")


@pytest.mark.parametrize("spans", [None, in_memory(ParentBased(ALWAYS_OFF))])
async def test_the_gateway_passes_on_what_is_not_sampled(spans: Spans | None) -> None:
    sent = await posted(spans, [("traceparent", UNSAMPLED), ("tracestate", "a=1")])
    assert (sent["traceparent"], sent["tracestate"]) == (UNSAMPLED.encode(), b"a=1")
    assert "traceparent" not in await posted(spans, [("traceparent", "hostile"), ("tracestate", "a=1")])
