"""What operators do by command line, done in the page: dead letters of both sides, notes that are parked."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.harness.kafka_io import Sent, publish
from tests.servers.addresses import Servers
from tests.servers.background import Background
from tests.web.browser import SLOW_CLOCK, Window
from tests.web.site import Site

Open = Callable[..., Window]
Publish = Callable[[str, Sent], None]


@pytest.fixture
def publishing(servers: Servers, background: Background) -> Publish:
    """Give a function that puts a record on a topic, as nobody's program should."""
    return lambda topic, record: background.run(publish(servers.kafka, topic, [record]))


def record(kind: str, note_id: str, value: bytes, version: int | None = None) -> Sent:
    headers = [("ce_id", str(uuid4()).encode()), ("ce_type", f"notes.{kind}-note.v1".encode())]
    if version is not None:
        headers = [("ce_id", str(uuid4()).encode()), ("ce_type", f"notes.event.{kind}.v1".encode())]
        headers.append(("ce_sequence", str(version).encode()))
    return Sent(note_id.encode(), value, headers)


@pytest.mark.parametrize(("side", "answer"), [("write", "1 sent back."), ("read", "1 failed again")])
def test_a_dead_letter_is_looked_at_sent_back_and_dropped(
    site: Site, opened: Open, publishing: Publish, picture: Callable[[Window, str], None], *, side: str, answer: str
) -> None:
    note_id = str(uuid4())
    if side == "write":
        topic, bad = site.topics.commands, record("command.update", note_id, b"{not JSON")
    else:
        topic, bad = site.topics.events, record("note-updated", note_id, b"{not JSON", 1)
    publishing(topic, bad)
    one = opened("/operations", viewport={"width": 1280, "height": 900}, script=SLOW_CLOCK)
    dead_letters = one.get(f"dead-letters-{side}")
    row = dead_letters.locator("tr", has=one.page.locator("td.id", has_text=topic)).last
    row.wait_for()
    where = row.locator("td.id").inner_text()
    row.get_by_role("button", name="Look").click()
    dead_letters.locator("pre", has_text="{not JSON").wait_for()
    picture(one, "operations" if side == "write" else "operations-read")
    assert one.barriers() == []
    dead_letters.get_by_label(f"Choose {where}", exact=True).check()
    one.get(f"redrive-{side}").click()
    one.page.get_by_text(answer).wait_for()
    if side == "write":  # the same record fails again, as another one, with an id of its own
        dead_letters.get_by_label(f"Choose {where}", exact=True).wait_for(state="detached")
        where = row.locator("td.id").inner_text()
    dead_letters.get_by_label(f"Choose {where}", exact=True).check()
    one.get(f"drop-{side}").click()
    question = one.page.get_by_role("alertdialog", name="Mark 1 as dealt with?")
    question.wait_for()
    assert one.barriers() == []
    one.page.keyboard.press("Escape")
    question.wait_for(state="hidden")
    one.page.wait_for_function("(name) => document.activeElement.dataset.testid === name", arg=f"drop-{side}")
    one.page.keyboard.press("Enter")
    question.get_by_role("button", name="Drop").click()
    one.page.get_by_text("1 marked as dealt with.").wait_for()


def test_a_note_that_is_parked_is_named(site: Site, opened: Open, publishing: Publish) -> None:
    note_id = str(uuid4())
    data = {"note_id": note_id, "version": 3, "occurred_at": "2026-01-02T03:04:05.678Z", "body": "early"}
    early = record("note-updated", note_id, json.dumps(data).encode(), 3)
    publishing(site.topics.events, early)
    one = opened("/operations", script=SLOW_CLOCK)
    row = one.page.locator("tr", has_text=note_id)
    row.wait_for()
    assert row.locator("td").all_inner_texts()[1:4] == ["v0", "v1", "1"]
    row.get_by_role("button", name="Republish").click()
    one.page.locator(".messages .error").wait_for()  # the write side has no such note, and says so


def test_both_sides_say_how_they_are(site: Site, opened: Open) -> None:
    one = opened("/operations")
    for side in ("Write side", "Read side"):
        one.page.get_by_label(f"Health: {side}").get_by_text("ready", exact=True).wait_for()
    one.page.get_by_label("Outbox").get_by_text("parked").wait_for()
