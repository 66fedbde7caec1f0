"""How far each consumer group is."""

from collections.abc import Iterable

from notes_chassis.kafka.lag import Progress


class MemoryProgress:
    """ProgressStore."""

    def __init__(self) -> None:
        self.progress: dict[tuple[str, int], Progress] = {}

    async def save(self, seen: Iterable[Progress]) -> None:
        """Keep these in the place of older ones of their partitions."""
        self.progress |= {(one.group, one.partition): one for one in seen}

    async def of(self, *groups: str) -> list[Progress]:
        """Return what is known of groups."""
        return [one for one in self.progress.values() if one.group in groups]
