"""The pipeline's statements find rows by an index, whatever the planner knew when it made the plan."""

import re

import pytest

from notes_command.outbox import low_water_mark
from notes_command.outbox import store as outbox
from notes_command.pipeline import statements
from notes_command.postgres import connect

KEPT = {
    "known outcomes": statements.OUTCOMES,
    "one note": statements.NOTE,
    "notes of a batch": statements.NOTES_FOR_UPDATE,
    "what is known of a batch": statements.LOOK,
    "a batch stored as it was read": statements.store(True, True, True, True, announced=True),
    "rows to send": outbox._READ_ALL,
    "rows to send to one destination": outbox._READ_ONE,
    "rows sent": outbox._DELETE,
    "rows parked": outbox._PARK,
    "the low-water mark": low_water_mark._LOWEST,
}


@pytest.mark.parametrize("name", KEPT)
async def test_a_plan_made_while_the_tables_were_small_uses_indexes(name: str, postgres_database: str) -> None:
    """Without our settings it reads small tables whole, is kept, and costs more the more they grow."""
    statement, connection = KEPT[name], await connect(postgres_database)
    try:
        for table in ("notes", "inbox", "outbox"):
            await connection.execute(f"VACUUM ANALYZE {table}")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE kept AS {statement}")
        nulls = ", ".join(["NULL"] * max(map(int, re.findall(r"\$(\d+)", statement))))
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE kept ({nulls})"))
    finally:
        await connection.close()

    assert "Seq Scan" not in plan, plan
    assert "Index" in plan, plan
