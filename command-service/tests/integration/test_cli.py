"""The command line as a program: exit codes, what goes to which stream, and sentences instead of tracebacks."""

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from command_support.builders import TOPICS, dead_letter, source
from command_support.processes import told

from notes_command.pipeline.decide import Result
from notes_command.pipeline.store import PostgresStore
from notes_command.postgres import create_engine
from notes_command.settings import Settings
from tests.servers.addresses import Servers


@dataclass(frozen=True)
class Stored:
    settings: Settings
    ids: list[str]


@pytest.fixture
async def stored(servers: Servers, postgres_database: str) -> Stored:
    dead_letters = [dead_letter(source=source(partition=2, offset=number)) for number in range(3)]
    engine = create_engine(postgres_database)
    async with PostgresStore(engine, TOPICS).transaction("t", [0]) as unit:
        await unit.save(Result(dead_letters=dead_letters))
    await engine.dispose()
    settings = Settings(kafka=servers.kafka, postgres=postgres_database)
    return Stored(settings, [f"notes.commands:2:{number}" for number in range(3)])


async def test_from_the_list_to_nothing_left(stored) -> None:
    listed = await told(stored.settings, "dead-letters", "list")
    assert (listed.code, listed.err) == (0, "")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["id", *stored.ids]
    shown = await told(stored.settings, "dead-letters", "show", stored.ids[1])
    assert shown.code == 0
    assert "dead-letter" not in shown.out
    assert shown.out.splitlines()[0].split() == ["id", stored.ids[1]]
    assert (await told(stored.settings, "dead-letters", "drop", stored.ids[0])).code == 0
    redriven = await told(stored.settings, "dead-letters", "redrive", "--all", "--json")
    assert redriven.code == 0
    assert [each["id"] for each in json.loads(redriven.out)["redriven"]] == stored.ids[1:]
    states = await told(stored.settings, "dead-letters", "list", "--state", "all", "--json")
    assert [each["state"] for each in json.loads(states.out)] == ["dropped", "redriven", "redriven"]
    waiting = await told(stored.settings, "outbox", "--json")
    assert json.loads(waiting.out)["waiting"] == 5, "three dead letters and two commands"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["dead-letters", "show", "notes.commands:2:99"], 1, "there is no dead letter notes.commands:2:99"),
        (["dead-letters", "redrive"], 2, "which ones? Name ids, give a filter, or say --all"),
        (["dead-letters", "redrive", "x"], 2, "'x' is not the id of a dead letter; it looks like topic:3:17"),
        (["dead-letters", "drop", "--since", "soon"], 2, "'soon' is not a time such as 2026-01-02T03:04:05Z"),
        (["dead-letters", "drop", "--since", "2999-01-01"], 1, "no dead letters match"),
        (["outbox", "--unpark", "nobody"], 1, "nothing of nobody is parked"),
        (["nonsense"], 2, "invalid choice: 'nonsense'"),
    ],
)
async def test_what_went_wrong_is_one_sentence(stored, words, code, sentence) -> None:
    done = await told(stored.settings, *words)
    assert (done.code, done.out) == (code, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", [["dead-letters", "list"], ["outbox"]])
async def test_a_database_that_is_away_is_said_to_be(stored, words) -> None:
    away = stored.settings.model_copy(update={"postgres": "postgresql://nobody:x@127.0.0.1:1/nowhere"})
    done = await told(away, *words)
    assert done.code == 1
    assert "PostgreSQL did not do as asked" in done.err
    assert "Traceback" not in done.err


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("change", "words", "code", "sentence"),
    [
        ({"user": "nobody:" + SECRET}, ["migrate", "--timeout", "0"], 1, "PostgreSQL refused"),
        ({"database": "nowhere"}, ["migrate", "--timeout", "0"], 1, 'database \\"nowhere\\" does not exist'),
        ({"query": "nonsense=1"}, ["migrate", "--timeout", "0"], 1, "PostgreSQL refused"),
        ({"host": "no-such-host.invalid"}, ["migrate", "--timeout", "0"], 1, "PostgreSQL did not do as asked"),
        ({"host": "127.0.0.1:1"}, ["migrate", "--timeout", "0"], 1, "Connection refused"),
        ({"query": "sslmode=require"}, ["migrate"], 1, 'rejected SSL upgrade", "event": "PostgreSQL refused'),
        ({"query": "sslmode=require"}, ["dead-letters", "list"], 1, "rejected SSL upgrade"),
        ({"database": "nowhere"}, ["outbox"], 1, 'database \\"nowhere\\" does not exist'),
        ({"user": "nobody:" + SECRET}, ["dead-letters", "list"], 1, "PostgreSQL refused"),
        ({"user": "nobody:" + SECRET}, ["outbox"], 1, "PostgreSQL refused"),
        ({"user": "nobody:" + SECRET}, ["republish", "--all"], 1, 'authentication failed for user \\"nobody\\"'),
        ({"host": "127.0.0.1:port"}, ["serve"], 2, "NOTES_POSTGRES: a port is not a number"),
    ],
)
async def test_an_address_that_is_wrong_is_one_sentence(stored, change, words, code, sentence) -> None:
    parts = urlsplit(stored.settings.postgres)
    user = change.get("user", f"{parts.username}:{parts.password}")
    host = change.get("host", f"{parts.hostname}:{parts.port}")
    url = f"postgresql://{user}@{host}/{change.get('database', parts.path[1:])}?{change.get('query', '')}"
    done = await told(stored.settings.model_copy(update={"postgres": url}), *words)
    assert (done.code, done.out) == (code, ""), done.err
    assert sentence in done.err
    assert "Traceback" not in done.err
    assert SECRET not in done.err
