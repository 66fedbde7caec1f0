"""Reads of single notes that are asked for in the same moment, done as one query."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar

from notes_query.projecting.ports import View

AT_ONCE: Final = 500

Found = TypeVar("Found")


class ManyNotes(Protocol):
    """Notes by their ids, each method in one query. Every method raises StoreUnavailable, Building."""

    async def views(self, note_ids: Collection[str]) -> Mapping[str, View]:
        """Return those that are there, whatever their status."""
        ...

    async def with_waiting(self, note_ids: Collection[str]) -> Mapping[str, bool]:
        """Return those of which a version is missing."""
        ...


class ReadTogether:
    """NoteReader for readers who have waited: hundreds are woken at once, by the same write."""

    def __init__(self, notes: ManyNotes) -> None:
        self._views = _Together(notes.views)
        self._waiting = _Together(notes.with_waiting)

    async def view(self, note_id: str) -> View | None:
        """See NoteReader."""
        return await self._views.ask(note_id)

    async def has_waiting(self, note_id: str) -> bool:
        """See NoteReader."""
        return bool(await self._waiting.ask(note_id))


class _Together(Generic[Found]):
    """Collects keys until the event loop comes around, then asks for all of them."""

    def __init__(self, many: Callable[[Collection[str]], Awaitable[Mapping[str, Found]]]) -> None:
        self._many = many
        self._asked: dict[str, asyncio.Future[Found | None]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def ask(self, key: str) -> Found | None:
        """Return what is there under a key, as it is after this call."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._begin)
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = loop.create_future()
        return await asyncio.shield(answer)  # others may wait for it, too

    def _begin(self) -> None:
        asked, self._asked = self._asked, {}
        keys = iter(asked)
        while some := list(islice(keys, AT_ONCE)):
            task = asyncio.create_task(self._answer({key: asked[key] for key in some}))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _answer(self, asked: Mapping[str, "asyncio.Future[Found | None]"]) -> None:
        try:
            found = await self._many(asked)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the answer
            for answer in asked.values():
                answer.set_exception(error)
                answer.exception()  # taken note of, even if nobody waits any more
            return
        for key, answer in asked.items():
            answer.set_result(found.get(key))
