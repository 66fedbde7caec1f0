"""How many may wait at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from notes_chassis.http.limits import REFUSED, WAITING
from notes_chassis.http.problems import Refusal


@dataclass(slots=True)
class Places:
    """Places of requests that wait."""

    most: int = WAITING
    taken: int = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place. Raises Refusal `unavailable` if none is left."""
        if self.taken >= self.most:
            REFUSED.labels("waiting").inc()
            raise Refusal(503, "unavailable", f"{self.most} requests wait already; try again")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
