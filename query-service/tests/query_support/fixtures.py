"""The types of what tests are given, in one place."""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

import httpx
from query_support.samples import Samples
from query_support.side import Side

from notes_query.mongo.database import Database
from notes_query.projecting.stored_record import StoredRecord
from notes_query.settings import Settings

if TYPE_CHECKING:  # else every unit test would import the whole service
    from collections.abc import Iterable, Mapping

    from notes_query.app import Only
    from notes_query.projections.read_model import ReadModel

__all__ = ["Database", "Running", "Samples", "Send", "SendMany", "Settings", "Side"]


class Running(Protocol):
    """Runs the service until the block is left, with a client of its HTTP side."""

    def __call__(
        self, settings: Settings, only: "Only | None" = None, read_models: "Mapping[str, ReadModel]" = ...
    ) -> AbstractAsyncContextManager[httpx.AsyncClient]: ...


class Send(Protocol):
    """Sends records to a topic, in order, each acknowledged before the next."""

    async def __call__(self, topic: str, *records: StoredRecord, partition: int | None = None) -> None: ...


class SendMany(Protocol):
    """Sends many records to a topic, in order, and waits for all of them."""

    async def __call__(self, topic: str, records: "Iterable[StoredRecord]") -> None: ...
