"""Announced versions, and those that did not come."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from notes_query.repairing.missing_versions import Level, MissingVersion


class MemoryAwaitedVersions:
    """AwaitedVersions."""

    def __init__(self) -> None:
        self.batches: dict[str, tuple[dict[str, int], datetime]] = {}
        self.claims: dict[str, tuple[str, datetime]] = {}

    async def expect(self, batch: str, versions: Mapping[str, int], due: datetime) -> None:
        self.batches.setdefault(batch, (dict(versions), due))

    async def claim(self, now: datetime, until: datetime) -> tuple[str, dict[str, int]]:
        claim = f"claim {len(self.claims)} of {now}"
        announced: dict[str, int] = {}
        for batch, (versions, due) in self.batches.items():
            if due <= now and self.claims.get(batch, ("", due))[1] <= now:
                self.claims[batch] = (claim, until)
                for note_id, version in versions.items():
                    announced[note_id] = max(version, announced.get(note_id, 0))
        return claim, announced

    async def done(self, claim: str) -> None:
        for batch in [batch for batch, (its, _) in self.claims.items() if its == claim]:
            del self.batches[batch], self.claims[batch]


class MemoryMissingVersions:
    """MissingVersions."""

    def __init__(self) -> None:
        self.missing: dict[str, MissingVersion] = {}

    async def add(self, versions: Mapping[str, int], since: datetime) -> None:
        for note_id, version in versions.items():
            known = self.missing.get(note_id, MissingVersion(note_id, version, since))
            self.missing[note_id] = replace(known, version=max(version, known.version))

    async def oldest(self, limit: int) -> list[MissingVersion]:
        return sorted(self.missing.values(), key=lambda one: (one.since, one.note_id))[:limit]

    async def page(self, after: str, limit: int) -> list[MissingVersion]:
        return [self.missing[note_id] for note_id in sorted(self.missing) if note_id > after][:limit]

    async def of(self, note_ids: Collection[str]) -> list[MissingVersion]:
        return [self.missing[note_id] for note_id in note_ids if note_id in self.missing]

    async def found(self, reached: Mapping[str, int]) -> None:
        for note_id, version in reached.items():
            if note_id in self.missing and self.missing[note_id].version <= version:
                del self.missing[note_id]

    async def forget(self, note_ids: Collection[str]) -> None:
        for note_id in note_ids:
            self.missing.pop(note_id, None)

    async def count(self) -> int:
        return len(self.missing)


class MemoryNoteLevels:
    """NoteLevels, of the documents that `served` returns by id."""

    def __init__(self, served: Callable[[], dict[str, Any]], missing: MemoryMissingVersions) -> None:
        self._served = served
        self._missing = missing

    async def of(self, note_ids: Collection[str]) -> dict[str, Level]:
        documents = self._served()
        return {id_: Level(documents[id_]["version"], documents[id_]["parked"]) for id_ in note_ids if id_ in documents}

    async def park(self, versions: Mapping[str, int]) -> None:
        documents = self._served()
        for note_id, version in versions.items():
            is_missed = note_id in self._missing.missing
            if is_missed and note_id in documents and documents[note_id]["version"] == version:
                documents[note_id]["parked"] = True
