"""One trace shows request, decision, projection and the woken reader; batches and the relay are linked to it."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.e2e.pair import Pair
from tests.harness.collector import Collector, Span, collecting

SERVER, PRODUCER, CONSUMER = 2, 4, 5
TRACE, CLIENT, READER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "00f067aa0ba902b8"
TITLE, BODY, AUTHOR, TOKEN, SOUGHT = "Sesamtitel", "Geheimtext", "Zoë Autorin", "tok3n-of-somebody", "Suchwort"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def environment(environment: dict[str, str], collector: Collector) -> dict[str, str]:
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    return environment | asked | {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}"}


def parent(span: str, flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{TRACE}-{span}-{flags}", "Authorization": f"Bearer {TOKEN}"}


async def test_one_trace_from_the_request_to_the_woken_reader(pair: Pair, collector: Collector) -> None:
    note, topics = str(uuid4()), pair.topics
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        reading = asyncio.create_task(
            http.get(
                f"{pair.query.url}/notes/{note}", params={"min_version": "1", "wait": "10"}, headers=parent(READER)
            )
        )
        await asyncio.sleep(0.5)
        created = await http.post(
            f"{pair.command.url}/commands/create-note",
            json={"note_id": note, "title": TITLE, "body": BODY, "author": AUTHOR},
            headers={**parent(CLIENT), "Prefer": "wait=20"},
        )
        read = await reading
        await http.get(f"{pair.query.url}/notes/search", params={"q": SOUGHT}, headers=parent(READER))
        await http.get(f"{pair.query.url}/nowhere/{SOUGHT}", headers=parent(READER))
    assert (created.status_code, read.status_code, read.headers["consistency"]) == (200, 200, "current")

    def one(name: str, count: int = 1) -> list[Span]:
        found = collector.wait_for(lambda: found if len(found := collector.named(name, TRACE)) >= count else [])
        assert len(found) == count, [span.name for span in found]
        return list(found)

    (request,) = one("POST /commands/create-note")
    (decided,) = one(f"decide {topics.commands}")
    projected = one(f"project {topics.events}", 2)
    (kept,) = one(f"project {topics.outcomes}")
    (woken,) = one("GET /notes/{note_id}")
    one("GET /notes/search")
    (nowhere,) = one("GET")

    # The road: client → request → decision → projections; and the reader, whom the note's projection has woken.
    assert (request.parent, request.kind, request.service) == (CLIENT, SERVER, "notes-command")
    assert (decided.parent, decided.kind, decided.service) == (request.id, CONSUMER, "notes-command")
    assert {(one.parent, one.kind, one.service) for one in (*projected, kept)} == {
        (decided.id, CONSUMER, "notes-query")
    }
    assert (woken.parent, woken.kind, woken.service, woken.events) == (READER, SERVER, "notes-query", ["woken"])
    (notes,) = (one for one in projected if "-notes-" in str(one.attributes["messaging.consumer.group.name"]))
    assert woken.links == [notes.place]

    # Batches are traces of their own, linked to the messages.
    (batch,) = collector.wait_for(lambda: collector.named(f"process {topics.commands}"))
    assert (batch.parent, batch.kind, batch.links) == ("", CONSUMER, [request.place])
    assert batch.place in decided.links
    for topic, spans in ((topics.events, projected), (topics.outcomes, [kept])):
        batches = collector.wait_for(
            lambda topic=topic, spans=spans: (
                found if len(found := collector.named(f"process {topic}")) >= len(spans) else []
            )
        )
        assert {one.links[0] for one in batches if one.links} == {decided.place}
        assert {link for one in spans for link in one.links} == {one.place for one in batches if one.links}
    sends = [one for one in collector.spans if one.kind == PRODUCER]
    assert {link for one in sends for link in one.links} == {decided.place}
    assert {one.name.split()[0] for one in sends} == {"send"}

    assert batch.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": topics.commands,
        "messaging.consumer.group.name": f"{topics.commands}.notes-command",
        "messaging.batch.message_count": 1,
    }
    assert decided.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "decide",
        "messaging.operation.type": "process",
        "messaging.destination.name": topics.commands,
        "messaging.consumer.group.name": f"{topics.commands}.notes-command",
        "messaging.destination.partition.id": decided.attributes["messaging.destination.partition.id"],
        "messaging.kafka.offset": 0,
        "messaging.message.id": created.json()["command_id"],
        "notes.outcome": "accepted",
    }
    assert request.attributes == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/commands/create-note",
        "http.response.status_code": 200,
    }
    assert nowhere.attributes == {"http.request.method": "GET", "url.scheme": "http", "http.response.status_code": 404}
    assert not [one.name for one in collector.spans if "readyz" in str(one) or one.error]
    assert set(collector.paths) == {"/v1/traces"}
    sent = b"".join(collector.raw)
    for text in (TITLE, BODY, AUTHOR, TOKEN, SOUGHT, note, "password", "postgresql:"):
        assert text.encode() not in sent, text


@pytest.mark.parametrize("collector_is", ["away", "hanging"])
async def test_a_collector_that_does_not_answer_holds_up_nothing(
    pair: Pair, collector: Collector, collector_is: str
) -> None:
    collector.status, collector.hangs_s = 500, 60.0 if collector_is == "hanging" else 0.0
    if collector_is == "away":
        for service in (pair.command, pair.query):
            service.set(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
            service.restart(kill=False)
    note = str(uuid4())
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        created = await http.post(
            f"{pair.command.url}/commands/create-note",
            json={"note_id": note, "title": TITLE},
            headers={**parent(CLIENT), "Prefer": "wait=20"},
        )
        read = await http.get(f"{pair.query.url}/notes/{note}", params={"min_version": "1", "wait": "10"})
    assert (created.status_code, read.status_code) == (200, 200)
    assert (pair.command.terminate(), pair.query.terminate()) == (0, 0)
    for service in (pair.command, pair.query):
        log = service.log.read_text()
        assert log.count("spans were not exported") <= 2, log
        assert "Traceback" not in log
        assert TOKEN not in log
