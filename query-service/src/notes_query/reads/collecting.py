"""Reads by key that are asked for in the same moment, done as one query."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Final, Generic, TypeVar

AT_ONCE: Final = 500

Found = TypeVar("Found")


class Collecting(Generic[Found]):
    """Asks at once while nobody else does; else collects keys until the event loop comes around, and asks for all."""

    def __init__(self, many: Callable[[Collection[str]], Awaitable[Mapping[str, Found]]]) -> None:
        self._many = many
        self._asked: dict[str, list[asyncio.Future[Found | None]]] = {}
        self._alone = False
        self._asking: set[asyncio.Task[None]] = set()

    async def ask(self, key: str) -> Found | None:
        """Return what is there under a key, as it is after this call."""
        if not (self._alone or self._asked or self._asking):
            self._alone = True
            try:
                return (await self._many([key])).get(key)
            finally:
                self._alone = False
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._begin)
        answer: asyncio.Future[Found | None] = loop.create_future()
        self._asked.setdefault(key, []).append(answer)
        return await answer

    def _begin(self) -> None:
        asked, self._asked = self._asked, {}
        keys = iter(asked)
        while some := list(islice(keys, AT_ONCE)):
            task = asyncio.create_task(self._answer(some, asked))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _answer(self, keys: Sequence[str], asked: Mapping[str, Sequence["asyncio.Future[Found | None]"]]) -> None:
        found: Mapping[str, Found] = {}
        failure: Exception | None = None
        try:
            found = await self._many(keys)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the answer
            failure = error
        for key in keys:
            for answer in asked[key]:
                if answer.done():
                    continue  # whoever asked has left
                if failure is None:
                    answer.set_result(found.get(key))
                else:
                    answer.set_exception(failure)
