"""The operations tab: what operators otherwise do on the command line."""

import asyncio
import uuid
from collections.abc import Callable

from aiokafka import AIOKafkaProducer

from tests.servers.background import Background
from tests.web.browser import Window
from tests.web.site import Site

Open = Callable[..., Window]


async def send(site: Site, value: bytes) -> None:
    """Send a record that is no command, under a command's headers."""
    headers = [("ce_id", str(uuid.uuid4()).encode()), ("ce_type", b"notes.command.update-note.v1")]
    async with AIOKafkaProducer(bootstrap_servers=site.kafka) as producer, asyncio.timeout(30):
        await producer.send_and_wait(site.commands, value, key=str(uuid.uuid4()).encode(), headers=headers)


def test_a_dead_letter_is_shown_looked_into_sent_back_and_dropped(
    site: Site, opened: Open, background: Background, picture: Callable[[Window, str], None]
) -> None:
    background.run(send(site, b"what nobody can read"))
    one = opened("/", viewport={"width": 1280, "height": 900})
    one.page.get_by_role("button", name="Operations").click()
    letters = one.get("dead-letters-write")
    letters.get_by_text("undecodable").first.wait_for()
    for part in ("Health: Write side", "Health: Read side"):
        one.page.get_by_role("region", name=part).get_by_text("ready", exact=True).wait_for()
    letters.get_by_role("button", name="Look").first.click()
    letters.get_by_text("what nobody can read").wait_for()
    picture(one, "operations")
    assert one.barriers() == []
    letters.get_by_role("checkbox", name="Choose").first.check()
    one.get("redrive-write").click()
    one.page.get_by_text("1 sent back").wait_for()
    letters.get_by_role("combobox").select_option("redriven")
    letters.get_by_text(", redriven").wait_for()
    letters.get_by_role("combobox").select_option("open")  # it failed again, as a dead letter of its own
    letters.get_by_text("undecodable").wait_for()
    one.page.on("dialog", lambda dialog: dialog.accept())
    letters.get_by_role("checkbox", name="Choose").first.check()
    one.get("drop-write").click()
    one.page.get_by_text("1 marked as dealt with").wait_for()
    letters.get_by_text("None.").wait_for()
