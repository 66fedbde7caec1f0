"""What was found, in sentences, by kind."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Findings:
    """`repeats` are records that came again, byte for byte, as they may; `refusals`, reads while an API was down.

    `differing`: documents of the read side that are not what the plan or the events make of them. `parked`: notes of
    which the read side misses a version, or has one twice and differently.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    events: int = 0
    outcomes: int = 0
    letters: int = 0
    repeats: int = 0
    reads: int = 0
    refusals: int = 0
    compared: int = 0

    @property
    def by_kind(self) -> dict[str, list[str]]:
        """Return all sentences under what the report calls them."""
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "out of order": self.disordered,
            "wrong": self.wrong,
            "parked": self.parked,
            "differing": self.differing,
        }

    @property
    def well(self) -> bool:
        """Return whether nothing was found."""
        return not any(self.by_kind.values())
