"""The pipeline's statements find rows by an index, whatever the planner knew when it made the plan."""

import re
from datetime import UTC, datetime

import pytest

from notes_chassis.dead_letters import After, DeadLetterFilter, Position
from notes_command.dead_letters import store as dead_letters
from notes_command.outbox import low_water_mark
from notes_command.outbox import store as outbox
from notes_command.pipeline import retention, statements
from notes_command.postgres import connect

KEPT = {
    "known outcomes": statements.OUTCOMES,
    "one note": statements.NOTE,
    "notes of a batch": statements.NOTES_FOR_UPDATE,
    "what is known of a batch": statements.READ_WITHOUT_LOCKS,
    "a batch stored as it was read": statements.storing_statement(
        created=True, updated=True, answered=True, leaving=True, announced=True
    ),
    "rows to send": outbox._READ_ALL,
    "rows to send to one destination": outbox._READ_ONE,
    "rows sent": outbox._DELETE,
    "rows parked": outbox._PARK,
    "the low-water mark": low_water_mark._LOWEST,
}
PLACE = Position("notes.commands", 3, 17)
# Each table in them grows without bound: an index that is read from end to end is no better than the table itself.
LOOKED_UP = {
    name: f"{dead_letters.select(wanted, 20)[0]} {dead_letters.CLAIM}"
    for name, wanted in {
        "dead letters by id": DeadLetterFilter(ids=(PLACE,), state=None),
        "open dead letters by id": DeadLetterFilter(ids=(PLACE,)),
        "open dead letters": DeadLetterFilter(),
        "open dead letters, next page": DeadLetterFilter(after=After(datetime.now(UTC), PLACE)),
        "dead letters of a note": DeadLetterFilter(subject="n", state=None),
        "dead letters of a time": DeadLetterFilter(since=datetime.now(UTC), state=None),
    }.items()
} | {
    "state of dead letters": dead_letters.SET_STATE,
    "older dead letters of a note": dead_letters.LEFT_BEHIND,
    "notes changed since": dead_letters.CHANGED,
    "how many dead letters": retention.COUNT,
    "old dead letters": retention.DEAD_LETTERS,
    "old inbox rows": retention.INBOX,
}


async def plan_of(statement: str, url: str) -> str:
    """Return the plan that is made of empty tables and kept."""
    connection = await connect(url)
    try:
        for table in ("notes", "inbox", "outbox", "dead_letters"):
            await connection.execute(f"VACUUM ANALYZE {table}")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE kept AS {statement}")
        nulls = ", ".join(["NULL"] * max(map(int, re.findall(r"\$(\d+)", statement))))
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE kept ({nulls})"))
    finally:
        await connection.close()


@pytest.mark.parametrize("name", LOOKED_UP)
async def test_rows_of_a_large_table_are_looked_up(name: str, postgres_database: str) -> None:
    plan = await plan_of(LOOKED_UP[name], postgres_database)
    lines = [*plan.splitlines(), ""]
    scans = [number for number, line in enumerate(lines) if re.search(r"Index (Only )?Scan", line)]

    assert "Seq Scan" not in plan, plan
    assert scans, plan
    assert all("Index Cond" in lines[number + 1] for number in scans), plan


@pytest.mark.parametrize("name", KEPT)
async def test_a_plan_made_while_the_tables_were_small_uses_indexes(name: str, postgres_database: str) -> None:
    """Without our settings it reads small tables whole, is kept, and costs more the more they grow."""
    plan = await plan_of(KEPT[name], postgres_database)

    assert "Seq Scan" not in plan, plan
    assert "Index" in plan, plan
