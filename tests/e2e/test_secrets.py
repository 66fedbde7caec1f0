"""Nothing secret is in what a system says that is used, misused and cut off: guarantee 12."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import pytest
from aiokafka import TopicPartition

from notes_chassis.kafka.clients import close, groupless, producer, started
from notes_contracts import CreateNote, NoteCreated, write
from notes_contracts.examples import CREATED_AT
from tests.e2e.confidential_pair import Make, confidence, make, stores
from tests.e2e.secured_pair import WITHIN_S, Broker, broker, until, unwell, upstream
from tests.e2e.service_process import ServiceProcess
from tests.harness.confidence import Confidence
from tests.harness.kafka_io import new_id
from tests.harness.programs import ended
from tests.servers.postgres_template import statement

__all__ = ["broker", "confidence", "make", "stores"]
NOTES: Final = 100
NOWHERE: Final = "127.0.0.1:1"
END_SESSIONS: Final = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename = current_user AND pid <> pg_backend_pid()"""
COMMANDS: Final = {
    "command": "dead-letters list",
    "query": "gaps",
    "lost command": "migrate --timeout 0",
    "lost query": "dead-letters list",
}


@pytest.fixture
async def http(confidence: Confidence) -> AsyncIterator[httpx.AsyncClient]:
    hooks = {"response": [confidence.hear_answer]}
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S, event_hooks=hooks) as client:
        yield client


def said_by(service: ServiceProcess, *argv: str) -> str:
    """Return what a command says that has the settings of this service."""
    done = ended(f"notes_{service.name}", *argv, environment=service._environment)
    assert done.out or done.err, argv
    return f"{done.out}\n{done.err}"


async def send_good_and_bad(broker: Broker, told: Mapping[str, str]) -> str:
    """Send commands and events with the texts of notes, most of them good; return the id of a note."""
    data = {"title": told["a note's title"], "body": told["a note's body"], "author": told["a note's author"]}
    notes = [new_id() for _ in range(NOTES)]
    async with upstream(broker) as active:
        for note_id in notes:
            good = write(CreateNote(note_id=note_id, tags=[told["a note's tag"]], **data), id=new_id())
            await active.send("notes.commands", good.value, good.key, headers=list(good.headers))
            for bad in (good.value[:-1], good.value.replace(b'"tags":["', b'"tags":["NO TAG '), good.value + b"\xff"):
                headers = [(name, new_id().encode() if name == "ce_id" else value) for name, value in good.headers]
                await active.send("notes.commands", bad, good.key, headers=headers)
        await active.flush()
    active = await started(producer(broker.administrator, enable_idempotence=True))
    try:
        event = NoteCreated(note_id=notes[0], version=1, occurred_at=CREATED_AT, tags=[told["a note's tag"]], **data)
        fork = write(event, id=new_id())
        for value in (fork.value, fork.value[:-1]):
            await active.send_and_wait("notes.events", value, fork.key, headers=list(fork.headers))
    finally:
        await close(active)
    return notes[0]


async def ask_well_and_badly(http: httpx.AsyncClient, command: str, query: str, told: Mapping[str, str]) -> None:
    """Ask for everything, with tokens that may, that may not, and that are none."""
    note, words = {"note_id": new_id(), "title": told["a note's title"]}, told["a note's body"]
    write_, read = ({"Authorization": f"Bearer {told[f'token to {what}']}"} for what in ("write", "read"))
    create = f"{command}/commands/create-note"
    assert (await http.post(create, json=note, headers=write_ | {"Prefer": "wait=20"})).status_code == 200
    bad: list[dict[str, Any]] = [
        {"json": note},
        {"json": note, "headers": read},
        {"json": note, "headers": {"Authorization": f"{write_['Authorization']}x"}},
        {"json": note, "headers": {"Authorization": f"Basic {told['token to write']}"}},
        {"json": note, "headers": [*write_.items(), *read.items()]},
        {"json": note, "params": {"access_token": told["token to write"]}},
        {"json": note | {"title": words * 20}, "headers": write_},
        {"json": note | {"tags": [f"NO TAG {words}"]}, "headers": write_},
        {"json": note | {"body": {"text": words}}, "headers": write_},
        {"json": [words], "headers": write_},
        {"content": f'{{"body": "{words}', "headers": write_ | {"Content-Type": "application/json"}},
        {"data": {"body": words}, "headers": write_},
        {"json": note, "headers": write_ | {"Prefer": "wait=20"}},
    ]
    for asked in bad:
        answer = await http.post(create, **asked)
        assert answer.is_client_error, (asked, answer.text)
    found = f"{query}/notes/search"
    assert (await http.get(f"{query}/notes/{note['note_id']}?min_version=1&wait=10", headers=read)).status_code == 200
    for params in ({"q": told["a note's search"]}, {"q": f"{words} " * 20}, {"q": words, "cursor": words}, {"q": ""}):
        await http.get(found, params=params, headers=read)
    for params in ({"tag": told["a note's tag"]}, {"tag": f"NO TAG {words}"}, {"author": told["a note's author"]}):
        await http.get(f"{query}/notes", params={**params, "cursor": "x"}, headers=read)


async def administer(http: httpx.AsyncClient, heard: Confidence, token: str, *services: ServiceProcess) -> None:
    """Do what `/admin` offers; note its lists, which quote nothing, and what probes and scrapers are told."""
    admin = {"Authorization": f"Bearer {token}"}
    for service in services:

        async def dead_letters(url: str = service.url) -> Any:
            return (await http.get(f"{url}/admin/dead-letters", headers=admin)).json()["items"]

        ids = [one["id"] for one in await until(dead_letters)]
        for act in ("redrive", "drop"):
            asked = {"ids": ids, "force": True}
            assert (await http.post(f"{service.url}/admin/dead-letters/{act}", json=asked, headers=admin)).is_success
        lists = ["/admin/dead-letters?state=all", "/admin/outbox" if service.name == "command" else "/admin/gaps"]
        for path in lists:
            heard.hear(f"lists of {service.name}", (await http.get(service.url + path, headers=admin)).text)
        ops = service._environment[f"NOTES_{service.name.upper()}_OPS_PORT"]
        for path in ("/livez", "/readyz", "/metrics"):
            heard.hear(f"{path} of {service.name}", (await http.get(f"http://127.0.0.1:{ops}{path}")).text)


async def hear_topics(broker: Broker, heard: Confidence) -> None:
    """Note the headers that were added to dead letters, and all of the outcomes."""
    consumer = await started(groupless(broker.administrator))
    try:
        places = [TopicPartition(f"notes.{name}.dead-letters", 0) for name in ("commands", "events")]
        places += [TopicPartition("notes.command-outcomes", number) for number in range(12)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    added = [one for one in record.headers if one[0].startswith(("dead-letter-", "redrive-"))]
                    heard.hear(place.topic, str(added if "dead-letters" in place.topic else record))
    finally:
        await close(consumer)


@pytest.mark.timeout(400)
async def test_nothing_secret_is_said_anywhere(
    *, make: Make, broker: Broker, confidence: Confidence, http: httpx.AsyncClient, stores: dict[str, str]
) -> None:
    told = confidence.secrets
    for what in ("read", "write", "admin"):
        told[f"token to {what}"] = broker.issuer.token(f"notes.{what}", lasts=600)["Authorization"].split()[1]
    command = make("command")
    query = make("query", NOTES_COMMAND_URL=command.url)
    lost_mongo = stores["NOTES_MONGO"].replace(told["password of MongoDB"], confidence.secret("a wrong password"))
    nobody = {"NOTES_OIDC_ISSUER": f"http://{NOWHERE}"}
    no_postgres = f"postgresql://notes:{confidence.secret('another')}@{NOWHERE}/notes"
    lost = [  # none of them gets into a consumer group, where it would keep records from the others
        make("command", NOTES_POSTGRES=no_postgres, NOTES_KAFKA_PASSWORD=confidence.secret("no password"), **nobody),
        make("query", NOTES_MONGO=lost_mongo, NOTES_KAFKA_CLIENT_SECRET=confidence.secret("no secret"), **nobody),
    ]
    for service in (command, query, *lost):
        service.start(wait=False)
    for service in (command, query):
        await asyncio.to_thread(service.wait_until_ready)

    await send_good_and_bad(broker, told)
    await ask_well_and_badly(http, command.url, query.url, told)
    await statement(stores["NOTES_POSTGRES"], END_SESSIONS)
    await ask_well_and_badly(http, command.url, query.url, told)
    await administer(http, confidence, told["token to admin"], command, query)
    for service in lost:

        async def knows(service: ServiceProcess = service) -> bool:
            return len(await unwell(service)) > 2

        await until(knows)
        confidence.hear(f"/readyz of a lost {service.name}", str(await unwell(service)))
        answer = await http.get(
            f"{service.url}/notes/{new_id()}", headers={"Authorization": f"Bearer {told['token to read']}"}
        )
        assert answer.status_code == 503
    services = {"command": command, "query": query, "lost command": lost[0], "lost query": lost[1]}
    for name, said in COMMANDS.items():
        confidence.hear(f"{said} of {name}", await asyncio.to_thread(said_by, services[name], *said.split()))
    await hear_topics(broker, confidence)
    for service in (command, query, *lost):
        confidence.hear_process(service.log.stem, service.pid, service.log)
    confidence.hear_process("issuer", broker.issuer.process.pid, broker.issuer.log)

    assert confidence.leaks() == set()
    assert {where for where, text in confidence.said.items() if len(text) < 2} <= {"log of issuer"}
    # The search is seen to find what is there.
    confidence.said = {where: text + told["token to read"] for where, text in confidence.said.items()}
    assert {where for _, where in confidence.leaks()} == confidence.said.keys()
