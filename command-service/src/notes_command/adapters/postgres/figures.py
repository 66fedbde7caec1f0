"""What /metrics shows of the store."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.adapters.postgres.engine import once_more

_LETTERS: Final = "SELECT state, count(*) FROM dead_letters GROUP BY state"


@dataclass(frozen=True, slots=True)
class PostgresLetterCounts:
    """Implements the port LetterCounts."""

    engine: AsyncEngine

    async def letters_by_state(self) -> dict[str, int]:
        """Count the dead letters that are kept. Raises StoreError."""

        async def count() -> dict[str, int]:
            async with self.engine.connect() as connection:
                rows: Any = await connection.exec_driver_sql(_LETTERS)
                return {row[0]: row[1] for row in rows}

        return await once_more(count)
