"""The pair on a broker with SASL_SSL and access rights, whose sessions and tokens end every ten seconds."""

import asyncio
import secrets
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError, for_code

from notes_chassis.kafka.aiokafka_internals import client_of
from notes_chassis.kafka.clients import close, groupless, know, started
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.producing import producer, see_topic
from notes_contracts.topics import TOPICS
from tests.e2e.secured_pair import (
    PRINCIPALS,
    RIGHTS,
    STRANGER,
    WITHIN_S,
    Broker,
    Make,
    all_well,
    broker,
    clients,
    ends,
    make,
    send,
    told,
    until,
    upstream,
)
from tests.harness import secured_kafka
from tests.harness.kafka_io import new_id

__all__ = ["broker", "clients", "make"]
LOAD_S: Final = 35.0
PER_SECOND: Final = 200
CLIENTS: Final = 15
LINES: Final = 200


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "OAUTHBEARER"])
async def test_a_command_becomes_a_document_with_the_rights_of_the_page(
    broker: Broker, make: Make, clients: Path, mechanism: str
) -> None:
    command, query = make("command", mechanism), make("query", mechanism)
    note_id, before = new_id(), await ends(broker)
    for service in (command, query):
        service.start(wait=False)
    async with upstream(broker) as active:
        await (await send(active, note_id))
        await (await active.send("notes.commands", b"{", b"garbage"))
    for service in (command, query):
        await asyncio.to_thread(service.wait_until_ready)
        await until(lambda service=service: all_well(service))
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as http:
        found = await http.get(f"{query.url}/notes/{note_id}?min_version=1&wait=20")
        assert (found.status_code, found.json()["title"]) == (200, "T")
        asked = {"title": "T"}
        sent = await http.post(f"{command.url}/commands/create-note", json=asked, headers={"Prefer": "wait=20"})
        assert sent.status_code == 200
    assert (await ends(broker))["notes.commands.dead-letters"] > before["notes.commands.dead-letters"]

    for name, arguments in (("command", "topics"), ("query", "topics"), ("query", "verify")):
        argv = [sys.executable, "-m", f"notes_{name}", arguments]
        done = await asyncio.to_thread(
            subprocess.run, argv, env=make(name, mechanism)._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    # Every client of every process, however it was made: no other knows how to speak to a broker.
    made = (await asyncio.to_thread(clients.read_text)).splitlines()
    assert len(made) >= CLIENTS
    assert set(made) == {f"SASL_SSL {mechanism}"}


@pytest.mark.parametrize("principal", [*PRINCIPALS, STRANGER])
async def test_a_principal_may_do_what_the_page_gives_it_and_nothing_else(broker: Broker, principal: str) -> None:
    cluster = broker.of(principal)
    may: set[tuple[str, str]] = set()
    active = await started(producer(cluster, linger_ms=0))
    admin: Any = await started(AIOKafkaAdminClient(**cluster.client()))
    try:
        for name in (topic.name for topic in TOPICS):
            with suppress(TopicAuthorizationFailedError):
                await see_topic(active, name)
                await active.send_and_wait(name, b"{", partition=0)
                may.add((name, "Write"))
            if await may_read(cluster, name):
                may.add((name, "Read"))
        for group in ("notes-command", "notes-query-", "upstream-"):
            with suppress(GroupAuthorizationFailedError):
                await admin.list_consumer_group_offsets(f"{group}1" if group.endswith("-") else group)
                may.add((group, "Read"))
        made = await admin.create_topics([NewTopic("stray", 1, 1)])
        assert for_code(made.topic_errors[0][1]) is TopicAuthorizationFailedError
    finally:
        await close(active, admin)
    given = [right for right in RIGHTS if right.principal == principal]
    assert may == {(one.name, what) for one in given for what in one.operations if what != "DescribeConfigs"}


async def may_read(cluster: Cluster, topic: str) -> bool:
    consumer = await started(groupless(cluster))
    try:
        await know(consumer, topic)
        if topic in client_of(consumer).cluster.unauthorized_topics:
            return False
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        with suppress(TopicAuthorizationFailedError):
            await consumer.getmany(timeout_ms=300)
            return True
        return False
    finally:
        await close(consumer)


@pytest.mark.timeout(180)
async def test_sessions_and_tokens_that_end_every_ten_seconds_cost_no_record(broker: Broker, make: Make) -> None:
    command, query = make("command", "OAUTHBEARER"), make("query", "OAUTHBEARER")
    for service in (command, query):
        service.start()
    before, began, notes = await ends(broker), time.monotonic(), list[str]()
    async with upstream(broker) as active:
        while (passed := time.monotonic() - began) < LOAD_S:
            due = int(passed * PER_SECOND) - len(notes)
            wanted = [new_id() for _ in range(due)]
            await asyncio.gather(*[await send(active, note_id) for note_id in wanted])
            notes += wanted
            await asyncio.sleep(0.02)  # the pace of the load
    grown: dict[str, int] = {}

    async def all_came() -> bool:
        now = await ends(broker)
        grown.update({name: now[name] - before[name] for name in now})
        return min(grown["notes.events"], grown["notes.command-outcomes"]) >= len(notes)

    await until(all_came)
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as http:
        for note_id in notes[-PER_SECOND:]:
            found = await http.get(f"{query.url}/notes/{note_id}?min_version=1&wait=20")
            assert found.status_code == 200, note_id
    for service in (command, query):
        await until(lambda service=service: all_well(service))
    # Each once: an event of a note that comes twice, or an outcome that does, would be one more.
    assert grown["notes.commands"] == grown["notes.events"] == grown["notes.command-outcomes"] == len(notes)
    for service in (command, query):
        assert not [line for line in service.log.read_text().splitlines() if "not consuming" in line]


async def test_a_wrong_password_is_told_waited_for_and_forgotten_once_it_is_right(broker: Broker, make: Make) -> None:
    command, query = make("command", "SCRAM-SHA-512"), make("query", "SCRAM-SHA-512")
    names = ("notes-command", "notes-query")
    wrong = {name: secrets.token_hex() for name in names}
    await secured_kafka.set_passwords(broker.administrator, wrong)
    try:
        for service in (command, query):
            service.start(wait=False)
        for service, part in ((command, "consumer"), (query, "outcomes")):
            await until(lambda service=service, part=part: told(service, part))
        assert not command._is_ready()
        await secured_kafka.set_passwords(broker.administrator, {name: broker.passwords[name] for name in names})
        for service in (command, query):
            await asyncio.to_thread(service.wait_until_ready)
            await until(lambda service=service: all_well(service))
    finally:
        await secured_kafka.set_passwords(broker.administrator, {name: broker.passwords[name] for name in names})
    for service in (command, query):
        await until(lambda service=service: all_well(service), 60)
        log = service.log.read_text()
        assert not [word for word in (*wrong.values(), *broker.passwords.values()) if word in log]
        assert len(log.splitlines()) < LINES, "a password that stays wrong fills no disk"
