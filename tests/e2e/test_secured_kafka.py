"""The pair on a broker with SASL_SSL and access rights, by both mechanisms, with sessions that end all the time."""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError, for_code

from notes_chassis.kafka.aiokafka_internals import client_of
from notes_chassis.kafka.clients import close, groupless, know, producer, see_topic, started
from notes_chassis.kafka.cluster import Cluster
from notes_contracts.topics import TOPICS
from tests.e2e.secured_pair import (
    COUNTED,
    PRINCIPALS,
    RIGHTS,
    STRANGER,
    WITHIN_S,
    Broker,
    Make,
    broker,
    clients,
    ends,
    made_with,
    make,
    send,
    told,
    until,
    upstream,
    well,
)
from tests.e2e.service_process import ServiceProcess
from tests.harness import secured_kafka
from tests.harness.kafka_io import new_id
from tests.harness.programs import ended, until_ended

__all__ = ["broker", "clients", "make"]
SCRAM, OAUTH = "SCRAM-SHA-512", "OAUTHBEARER"
LOAD_S: Final = 12.0
PER_SECOND: Final = 50
CLIENTS: Final = 30
LINES: Final = 300
TOLD_S: Final = 60.0
OWN_PARTS: Final = {"command": ["consumer", "kafka"], "query": ["notes", "background", "outcomes", "kafka"]}
RESULTS: Final = ("notes.events", "notes.command-outcomes")


async def test_each_principal_may_do_what_the_page_gives_it_and_nothing_else(broker: Broker) -> None:
    active = await started(producer(broker.administrator, linger_ms=0))
    try:
        for topic in TOPICS:
            await active.send_and_wait(topic.name, b"{", partition=0)  # something to read
    finally:
        await close(active)
    await asyncio.gather(*[try_everything(broker, principal) for principal in (*PRINCIPALS, STRANGER)])


async def try_everything(broker: Broker, principal: str) -> None:
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
    expected = {(one.name, what) for one in given for what in one.operations if what != "DescribeConfigs"}
    assert may == expected, principal


async def may_read(cluster: Cluster, topic: str) -> bool:
    consumer = await started(groupless(cluster))
    try:
        await know(consumer, topic)
        if topic in client_of(consumer).cluster.unauthorized_topics:
            return False
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        try:
            return bool(await consumer.getmany(timeout_ms=round(WITHIN_S * 1000)))
        except TopicAuthorizationFailedError:
            return False
    finally:
        await close(consumer)


@pytest.mark.timeout(300)
async def test_both_mechanisms_run_the_pair_lose_nothing_and_tell_who_is_not_let_in(
    broker: Broker, make: Make, clients: Path
) -> None:
    by_scram, by_oauth = ([make(name, mechanism) for name in ("command", "query")] for mechanism in (SCRAM, OAUTH))
    services, users = [*by_scram, *by_oauth], ("notes-command", "notes-query")
    right, wrong = {name: broker.passwords[name] for name in users}, {name: secrets.token_hex() for name in users}
    try:
        # From the start: who may come in does, and who may not says so.
        await secured_kafka.set_passwords(broker.administrator, wrong)
        for service in services:
            service.start(wait=False)
        await all_of(well(service, TOLD_S) for service in by_oauth)
        await all_of(until(partial(told, one, "SaslAuthenticationFailed", "kafka"), TOLD_S) for one in by_scram)
        assert not by_scram[0]._is_ready()
        await secured_kafka.set_passwords(broker.administrator, right)
        await all_of(well(service, TOLD_S) for service in services)

        before_load = lives(services)
        await load(broker, by_scram[1].url, by_oauth[1].url)
        await run_commands(make)
        assert lives(services) == before_load

        # While they run: neither mechanism works, and what is sent meanwhile waits.
        before = await ends(broker)
        broker.issuer.process.send_signal(signal.SIGSTOP)
        await secured_kafka.set_passwords(broker.administrator, wrong)
        await all_of(
            until(partial(told, one, what, *OWN_PARTS[one.name]), TOLD_S)
            for ones, what in ((by_scram, "SaslAuthenticationFailed"), (by_oauth, broker.issuer.url))
            for one in ones
        )
        async with upstream(broker) as active:
            notes = [new_id() for _ in range(PER_SECOND)]
            await asyncio.gather(*[await send(active, note_id) for note_id in notes])
    finally:
        broker.issuer.process.send_signal(signal.SIGCONT)
        await secured_kafka.set_passwords(broker.administrator, right)
    await all_of(well(service, TOLD_S) for service in services)
    await until(partial(grown_to, broker, before, len(notes), *RESULTS), TOLD_S)
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as http:
        for one in (by_scram[1], by_oauth[1]):
            assert (await http.get(f"{one.url}/notes/{notes[-1]}?min_version=1&wait=20")).status_code == 200

    # Every client of every process, however it was made: no other knows how to speak to a broker.
    made = await asyncio.to_thread(made_with, clients)
    assert len(made) >= CLIENTS
    assert set(made) == {f"SASL_SSL {SCRAM}", f"SASL_SSL {OAUTH}"}
    for one in services:
        log = one.log.read_text()
        assert not [word for word in (*wrong.values(), *broker.passwords.values()) if word in log]
        assert len(log.splitlines()) < LINES, "a password that stays wrong fills no disk"


def lives(services: Iterable[ServiceProcess]) -> int:
    """Return how often a consumer had to be started again."""
    return sum(service.log.read_text().count("not consuming") for service in services)


async def load(broker: Broker, *readers: str) -> None:
    """Send commands while all sessions end several times; each has to have its event and its outcome, once."""
    before, began, notes = await ends(broker), time.monotonic(), list[str]()
    async with upstream(broker) as active:
        while (passed := time.monotonic() - began) < LOAD_S:
            wanted = [new_id() for _ in range(int(passed * PER_SECOND) - len(notes))]
            await asyncio.gather(*[await send(active, note_id) for note_id in wanted])
            notes += wanted
            await asyncio.sleep(0.02)  # the pace of the load
        await until(partial(grown_to, broker, before, len(notes), *RESULTS), TOLD_S)
        drained = time.monotonic() - began
        async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as http:
            for note_id in notes[-PER_SECOND:]:
                for url in readers:
                    found = await http.get(f"{url}/notes/{note_id}?min_version=1&wait=20")
                    assert found.status_code == 200, note_id
        after = await ends(broker)
        # An event of a note that came twice, or an outcome that did, would be one more.
        assert {name: after[name] - before[name] for name in ("notes.commands", *RESULTS)} == dict.fromkeys(
            ("notes.commands", *RESULTS), len(notes)
        )
        print(f"{len(notes)} commands in {LOAD_S:g} s, decided and published after {drained:.1f} s")  # noqa: T201
        garbage = await active.send_and_wait("notes.commands", b"{", b"garbage")
    assert garbage
    await until(partial(grown_to, broker, after, 1, "notes.commands.dead-letters"))


async def run_commands(make: Make) -> None:
    """Run what operators do, by both mechanisms."""

    async def run(name: str, command: str, mechanism: str) -> None:
        environment = make(name, mechanism)._environment
        done = await until_ended(COUNTED, f"notes_{name}", command, environment=environment)
        assert done.code == 0, done.err

    await asyncio.gather(run("command", "topics", SCRAM), run("query", "topics", OAUTH), run("query", "verify", SCRAM))


async def all_of(waits: Iterable[Any]) -> None:
    await asyncio.gather(*waits)


async def grown_to(broker: Broker, before: dict[str, int], by: int, *topics: str) -> bool:
    now = await ends(broker)
    return all(now[topic] - before[topic] >= by for topic in topics)


def test_a_client_that_was_made_elsewhere_is_seen(clients: Path) -> None:
    planted = "import asyncio, aiokafka\nasync def make(): aiokafka.AIOKafkaConsumer()\nasyncio.run(make())"
    done = ended(COUNTED, "timeit", "-n1", "-r1", planted, environment={**os.environ, "CLIENTS": str(clients)})
    assert done.code == 0, done.err
    assert made_with(clients) == ["PLAINTEXT PLAIN"]
