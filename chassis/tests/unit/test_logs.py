"""What is written to the log, and what never is: anything that somebody wrote, a token, a password."""

import asyncio
import gc
import io
import json
import logging
import sys
from collections.abc import Iterator

import httpx
import pytest
import structlog

from notes_chassis.logs import OURS, QUIETER, configure, kinds_of

MARKER = "dear diary"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Give what a process at `debug` writes."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level, hook = root.handlers, root.level, sys.excepthook
    given = structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in (*OURS, *QUIETER)}
    monkeypatch.setattr(sys, "stderr", stream)
    configure("debug")
    yield stream
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    for name, its in levels.items():
        logging.getLogger(name).setLevel(its)
    structlog.configure(**given)


def explode() -> None:
    try:
        int(MARKER)
    except ValueError as error:
        raise KeyError(MARKER) from error


def test_an_exception_is_told_by_places_and_kinds_and_quotes_nothing(written: io.StringIO) -> None:
    try:
        explode()
    except KeyError as error:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
        structlog.get_logger("notes_chassis").exception("bug")
        sys.excepthook(type(error), error, error.__traceback__)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["Exception in ASGI application", "bug", "ended by a bug"]
    for line in lines:
        kinds = [kind_line for kind_line in line["exception"].splitlines() if not kind_line.startswith(" ")]
        assert kinds == ["ValueError", "KeyError"]
        assert "in explode" in line["exception"]
    assert MARKER not in written.getvalue()


def test_an_address_that_is_away_is_told() -> None:
    assert kinds_of(ConnectionRefusedError("127.0.0.1:9092")) == "ConnectionRefusedError: 127.0.0.1:9092"


@pytest.mark.parametrize(
    "library", ["httpx", "httpcore.http11", "sqlalchemy.engine", "pymongo.command", "aiokafka.conn", "asyncpg", "new"]
)
def test_libraries_are_heard_from_warnings_on_whatever_the_level(written: io.StringIO, library: str) -> None:
    logging.getLogger(library).debug(MARKER)
    logging.getLogger(library).info(MARKER)
    logging.getLogger(library).warning("something is wrong")
    structlog.get_logger("notes_command.x").debug("ours")
    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["something is wrong", "ours"]


def test_what_every_request_says_during_an_outage_is_written_once_in_a_while_by_its_error(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = structlog.get_logger("notes_command.x")
    for number in range(100):
        log.warning("not sent", error="KafkaTimeoutError", often=True, number=number)
        log.warning("not sent", error="NotLeader", often=True, number=number)
    log.warning("something else", error="KafkaTimeoutError")
    log.warning("something else", error="KafkaTimeoutError")
    monkeypatch.setattr("notes_chassis.logs.REPEAT_S", 0.0)
    for _ in range(2):
        log.warning("not sent", error="NotLeader", often=True)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["event"], line["error"], line.get("number"), line.get("unsaid")) for line in lines] == [
        ("not sent", "KafkaTimeoutError", 0, None),
        ("not sent", "NotLeader", 0, None),
        ("something else", "KafkaTimeoutError", None, None),
        ("something else", "KafkaTimeoutError", None, None),
        ("not sent", "NotLeader", None, 99),
        ("not sent", "NotLeader", None, None),
    ]
    assert "often" not in written.getvalue()


async def test_a_password_in_a_url_is_in_no_line_of_its_client(written: io.StringIO) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://notes:{MARKER}@command") as client:
        await client.get("/notes", headers={"Authorization": f"Bearer {MARKER}"})
    assert written.getvalue() == ""


async def test_a_task_whose_exception_nobody_fetched_is_told_without_it(written: io.StringIO) -> None:
    async def fail() -> None:
        raise ValueError(MARKER)

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    (line,) = [json.loads(line) for line in written.getvalue().splitlines()]
    assert line["event"] == "Task exception was never retrieved"
    assert line["exception"].endswith("ValueError")
    assert MARKER not in written.getvalue()
