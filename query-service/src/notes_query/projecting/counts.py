"""What became of the events of a batch."""

from dataclasses import dataclass, fields
from typing import Final


@dataclass(slots=True)
class Counts:
    """How many events of a batch had each result."""

    applied: int = 0
    ignored: int = 0
    parked: int = 0
    healed: int = 0
    forked: int = 0
    overflowed: int = 0
    dead_lettered: int = 0


COUNTED: Final = tuple(counted.name for counted in fields(Counts))


def add_counts(total: Counts, counts: Counts) -> None:
    """Add counts to a total."""
    for name in COUNTED:
        setattr(total, name, getattr(total, name) + getattr(counts, name))
