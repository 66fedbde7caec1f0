"""Another instance's relay goes on where the owner of the shards was killed, stopped or cut off."""

import asyncio
import signal
import time
from urllib.parse import urlsplit

import pytest
from command_support.http_address import free_port, ready
from command_support.outbox_load import loaded, trickling
from command_support.processes import serving

from notes_contracts.topics import PARTITIONS
from tests.harness.proxy import proxied

TAKEN_OVER_S = 5.0
BACKLOG = 100
"""Events of each note that are on their way when the owner is hurt."""
OWNERS = f"SELECT owner, count(*) FROM relay_leases WHERE until > now() GROUP BY 1 HAVING count(*) = {PARTITIONS}"


async def owner_of_all(write_side, but=None):
    async with asyncio.timeout(30):
        while True:
            rows = await write_side.fetch(OWNERS)
            if rows and rows[0][0] != but:
                return rows[0][0]
            await asyncio.sleep(0.1)  # each look is a connection of its own


@pytest.mark.parametrize("how", ["killed", "stopped", "cut off"])
async def test_a_relay_is_taken_over_in_time_and_its_owner_does_no_harm(write_side, how, record_property):
    settings, port = write_side.settings, free_port()
    address = urlsplit(settings.postgres)
    async with proxied(address.hostname, address.port) as proxy, loaded(settings) as load:
        through = settings.postgres.replace(f":{address.port}/", f":{proxy.port}/")
        async with serving(settings.model_copy(update={"postgres": through})) as owner:
            first = await owner_of_all(write_side)
            async with serving(settings, NOTES_COMMAND_PORT=str(port)), trickling(load):
                await ready(port)
                assert await owner_of_all(write_side) == first
                await load.put(BACKLOG)
                seen = len(load.arrived)
                async with asyncio.timeout(30):
                    while len(load.arrived) == seen:
                        await asyncio.sleep(0)
                hurt_at, load.late_s = time.monotonic(), 0.0
                if how == "cut off":
                    await proxy.cut()
                else:
                    owner.send_signal({"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}[how])
                await owner_of_all(write_side, but=first)
                late_s = load.late_s
                await load.put()
                await load.all_arrived()
                taken = load.taken_over_after(hurt_at)
                if how == "stopped":
                    owner.send_signal(signal.SIGCONT)
                elif how == "cut off":
                    await proxy.mend()
                await load.put(BACKLOG)
                if how == "killed":  # nobody would be left
                    await load.all_arrived()
            await load.all_arrived()
            if how == "stopped":  # it goes on with what it had in hand, and finds that the shards are another's
                assert await owner_of_all(write_side) == first, "the other ended, and gave the leases back"
                await load.put()
                await load.all_arrived()
        repeats = load.repeats()
    record_property("relay", f"{how}: taken over after {taken:.2f} s, {repeats} repeats")
    assert taken <= TAKEN_OVER_S + late_s
