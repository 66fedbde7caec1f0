"""A batch is one span, linked to at most 128 sampled messages, each of which has a span of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from notes_chassis.tracing import name_span
from notes_chassis.tracing import spans as spans_module
from tests.harness.spans import SAMPLED, SENDER, TRACE, UNSAMPLED, Spans, in_memory, links_of, parent_of, place_of

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True)
class Record:
    headers: Headers = ()
    topic: str = "events"
    partition: int = 3
    offset: int = 7
    key: bytes | None = b"key"


def record(traceparent: str | None, tracestate: str | None = None, **rest: Any) -> Record:
    pairs = (("traceparent", traceparent), ("tracestate", tracestate))
    return Record(tuple((name, text.encode("latin-1")) for name, text in pairs if text is not None), **rest)


async def process(spans: Spans, records: Sequence[Record], error: Exception | None = None) -> None:
    async def work(_: Sequence[Record]) -> None:
        if error is not None:
            raise error

    await spans.tracing.each(work, "group", "project", lambda: True)(records)


async def test_a_batch_and_its_sampled_message() -> None:
    spans = in_memory()
    await process(spans, [record(None), record(SAMPLED, "vendor=1"), record(UNSAMPLED)])
    (batch,), (message,) = spans.named("process"), spans.named("project")
    assert (batch.name, batch.kind, batch.parent) == ("process events", SpanKind.CONSUMER, None)
    assert links_of(batch) == [(TRACE, SENDER)]
    assert dict(batch.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "events",
        "messaging.consumer.group.name": "group",
        "messaging.batch.message_count": 3,
    }
    assert (message.name, message.kind, parent_of(message)) == ("project events", SpanKind.CONSUMER, (TRACE, SENDER))
    assert message.context.trace_state.to_header() == "vendor=1"
    assert links_of(message) == [place_of(batch.context)]


async def test_no_more_than_128_messages_are_linked() -> None:
    spans = in_memory()
    await process(spans, [record(SAMPLED, offset=number) for number in range(130)])
    (batch,) = spans.named("process")
    assert (len(batch.links), len(spans.named("project"))) == (128, 130)


async def test_no_more_than_128_messages_that_are_sent_are_linked() -> None:
    spans = in_memory()
    with spans.tracing.sending([*[record(SAMPLED)] * 130, record(UNSAMPLED), record(None)]):
        pass
    (sent,) = spans.named("send")
    assert (sent.name, sent.kind, len(sent.links)) == ("send events", SpanKind.PRODUCER, 128)
    assert (sent.attributes or {})["messaging.batch.message_count"] == 132


async def test_what_is_sent_to_several_topics_names_none() -> None:
    spans = in_memory()
    with spans.tracing.sending([record(None), record(None, topic="outcomes")]):
        pass
    (sent,) = spans.named("send")
    assert sent.name == "send"
    assert "messaging.destination.name" not in (sent.attributes or {})


@pytest.mark.parametrize(
    ("traceparent", "tracestate"),
    [
        ("x", None),
        ("", None),
        ("1", None),
        (f"00-{'0' * 32}-{SENDER}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"ff-{TRACE}-{SENDER}-01", None),
        (f"00-{TRACE}-{SENDER}-01-more1", None),
        ("é" * 60 + "1", None),
        (None, "vendor=1"),
        (UNSAMPLED, None),
    ],
)
async def test_what_is_hostile_or_not_sampled_begins_nothing(traceparent: str | None, tracestate: str | None) -> None:
    spans = in_memory()
    await process(spans, [record(traceparent, tracestate)])
    assert spans.names() == ["process events"]
    assert not spans.named("process")[0].links


async def test_a_hostile_tracestate_is_dropped_alone() -> None:
    spans = in_memory()
    await process(spans, [record(SAMPLED, "not a list, \x01")])
    (message,) = spans.named("project")
    assert (parent_of(message), len(message.context.trace_state)) == ((TRACE, SENDER), 0)


async def test_batches_follow_the_sampler_and_messages_their_sender() -> None:
    spans = in_memory(ParentBased(ALWAYS_OFF))
    await process(spans, [record(None), record(SAMPLED)])
    assert spans.names() == ["project events"]


async def test_a_sampler_that_looks_at_no_parent_has_the_last_word() -> None:
    spans = in_memory(ALWAYS_OFF)
    await process(spans, [record(SAMPLED)])
    assert spans.names() == []


async def test_a_batch_that_fails_says_so_by_kind_alone_and_its_messages_say_nothing() -> None:
    spans = in_memory()
    with pytest.raises(ValueError, match="of a note"):
        await process(spans, [record(SAMPLED)], ValueError("the text of a note"))
    (batch,) = spans.kept.get_finished_spans()
    assert (batch.status.status_code, batch.status.description) == (StatusCode.ERROR, None)
    assert (batch.attributes or {})["error.type"] == "ValueError"
    assert "text of a note" not in batch.to_json()


async def test_messages_that_are_not_wanted_have_no_spans() -> None:
    spans = in_memory()

    async def work(_: object) -> None:
        """Do nothing."""

    await spans.tracing.each(work, "group", "project", lambda: False)([record(SAMPLED)])
    assert spans.names() == ["process events"]


async def test_log_lines_of_a_sampled_batch_name_its_span() -> None:
    spans, bound = in_memory(), list[dict[str, Any]]()

    async def work(_: object) -> None:
        bound.append(name_span(None, "", {}))

    await spans.tracing.each(work, "group", "project", lambda: True)([record(None)])
    (batch,) = spans.named("process")
    assert bound == [dict(zip(("trace_id", "span_id"), place_of(batch.context), strict=True))]
    assert name_span(None, "", {}) == {}


def test_only_short_keys_are_remembered_the_last_ones_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans_module, "REMEMBERED", 2)
    tracing = in_memory().tracing
    with tracing.batch("events", "group", 1) as batch:
        span = batch.message("project", (SAMPLED, None), 0, 0)
        assert span is not None
        for key in (b"1", b"a" * 36, b"1", b"b" * 37, None, b"2"):
            tracing.remember("notes", key, span.context)
    assert list(tracing._processed) == [("notes", b"1"), ("notes", b"2")]


def test_a_record_that_is_read_again_has_the_same_span_id_and_another_has_not() -> None:
    found = []
    for offset in (7, 7, 8):
        with in_memory().tracing.batch("commands", "group", 1) as batch:
            span = batch.message("decide", (SAMPLED, None), 3, offset, again=True)
            assert span is not None
            found.append(span.traceparent)
    assert found[0] == found[1] != found[2]
    assert all(
        traceparent.startswith(f"00-{TRACE}-") and traceparent.endswith("-01") and SENDER not in traceparent
        for traceparent in found
    )
