"""Below the low-water mark there is nothing to send, whichever server answers."""

from collections.abc import Sequence
from typing import Any

import pytest

from notes_command.outbox.low_water_mark import LowWaterMark


class Servers:
    """Two servers: the first has handed out positions up to 1,000; on the second one, 950 is still being stored."""

    def __init__(self) -> None:
        self.mark, self.moved, self.statements = LowWaterMark(connections=1), False, list[str]()

    async def run(self, statement: str, _: tuple[Any, ...]) -> Sequence[Any]:
        self.statements.append(statement)
        if "pg_sequence_last_value" in statement:
            last = 1_100 if self.moved else 1_000
            if not self.moved:  # the answer is under way while another part of the process connects anew
                self.move()
            return [(last,)]
        if "pg_locks" in statement:
            return [("9/1",)] if self.moved and len(self.statements) > 2 else []
        return [(None,)]

    def move(self) -> None:
        self.moved = True
        self.mark.under(2)


@pytest.mark.parametrize("looks", [2, 3])
async def test_what_one_server_has_handed_out_is_not_proven_by_the_writers_of_another(looks: int) -> None:
    servers = Servers()
    for _ in range(looks):
        await servers.mark._advance(servers.run)
        assert servers.mark.proven == 0
