"""Large rows in the outbox: what the process takes to send them is bounded, and given back."""

from pathlib import Path

from command_support.builders import new_id, updated_event
from command_support.processes import serving

from notes_command.pipeline.decide import Result
from notes_command.pipeline.rows import Topics
from notes_command.pipeline.store import PostgresStore
from notes_command.postgres import create_engine
from tests.harness.waiting import eventually

MIB = 1024 * 1024
ROWS = 200


def resident(pid, name):
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(name))


async def test_two_hundred_megabytes_of_rows_are_sent_in_bounded_memory_which_is_given_back(
    write_side, record_property
):
    settings, engine = write_side.settings, create_engine(write_side.settings.postgres)
    store = PostgresStore(engine, Topics(settings.topic_events, settings.topic_outcomes, "dead_letters"))
    async with serving(settings) as process:
        await eventually(lambda: write_side.fetch("SELECT FROM relay_leases WHERE until > now()"), within_s=60)
        before = resident(process.pid, "VmRSS")
        await write_side.fetch(
            "UPDATE relay_leases SET owner = gen_random_uuid(), until = now() + interval '20 seconds'"
        )
        for _ in range(ROWS):
            async with store.transaction("load", []) as unit:
                await unit.save(Result(messages=[updated_event(new_id(), body="x" * MIB)]))
        await write_side.fetch("UPDATE relay_leases SET until = '-infinity'")
        await eventually(lambda: write_side.fetch("SELECT FROM outbox LIMIT 1"), lambda found: not found, within_s=90)
        peak = resident(process.pid, "VmHWM")
        after = resident(process.pid, "VmRSS")
        record_property("memory", f"relay: {before:.0f} MB, {peak:.0f} at most, {after:.0f} after {ROWS} rows of 1 MB")
        assert peak < before + 64
        assert after < before + 24
    await engine.dispose()
