"""Announced versions by batch, packed: at full rate they are many, and nearly all are dropped unread by a person."""

from collections.abc import Mapping
from datetime import datetime
from itertools import accumulate
from struct import Struct
from typing import Any, Final
from uuid import UUID, uuid4

from notes_query.mongo.bulk import insert_missing
from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projections.shape import ASCENDING, Index, Kept

AWAITED: Final = "awaited_versions"
KEPT: Final = (
    Kept(
        AWAITED,
        (
            Index("by_due", (("due", ASCENDING), ("claimed_until", ASCENDING))),
            Index("by_claim", (("claim", ASCENDING),)),
        ),
    ),
)
BATCHES: Final = 200
NOTES: Final = 5_000
"""Batches looked at together: so many at most, and none more once they announce that many notes."""
_PAIR: Final = Struct(">16sq")


class MongoAwaitedVersions:
    """AwaitedVersions."""

    def __init__(self, database: Database) -> None:
        self._awaited = database[AWAITED]

    async def expect(self, batch: str, versions: Mapping[str, int], due: datetime) -> None:
        """See AwaitedVersions."""
        packed = b"".join(_PAIR.pack(bytes.fromhex(id_.replace("-", "")), at) for id_, at in versions.items())
        document: dict[str, Any] = {
            "_id": batch,
            "due": due,
            "claimed_until": due,
            "claim": None,
            "notes": len(versions),
        }
        document["versions"] = packed
        await insert_missing(self._awaited, [document])

    async def claim(self, now: datetime, until: datetime) -> tuple[str, dict[str, int]]:
        """See AwaitedVersions."""
        claim = uuid4().hex
        free = {"due": {"$lte": now}, "claimed_until": {"$lte": now}}
        with driver_errors():
            ready = await self._awaited.find(free, {"notes": 1}, sort=[("due", 1)], limit=BATCHES).to_list(None)
            if not ready:
                return claim, {}
            totals = accumulate((item["notes"] for item in ready), initial=0)
            ids = [item["_id"] for item, before in zip(ready, totals, strict=False) if before < NOTES]
            wanted = {"_id": {"$in": ids}, **free}
            await self._awaited.update_many(wanted, {"$set": {"claim": claim, "claimed_until": until}})
            found = await self._awaited.find({"claim": claim}).to_list(None)
        versions: dict[str, int] = {}
        for document in found:
            for raw, version in _PAIR.iter_unpack(document["versions"]):
                note_id = str(UUID(bytes=raw))
                versions[note_id] = max(version, versions.get(note_id, 0))
        return claim, versions

    async def done(self, claim: str) -> None:
        """See AwaitedVersions."""
        with driver_errors():
            await self._awaited.delete_many({"claim": claim})
