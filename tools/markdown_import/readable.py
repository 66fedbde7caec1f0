"""Asks the read side for each accepted note until it shows it, and takes the time."""

import asyncio
import math
from contextlib import suppress
from time import monotonic, perf_counter
from typing import Self

import httpx

from tools.markdown_import.report import Report

READERS = 32
WAIT_S = 10
"""Seconds the read side may keep a reader waiting: the most it allows."""
PAUSE_S = 0.2


class ReadableTimer:
    """Reads accepted notes with `min_version`, at most `READERS` of them at a time.

    A note that finds no free reader is not read: its time would be that of the queue. So a small folder is timed as a
    whole, a large one by samples, and the import is not slowed down. A read side that cannot be reached ends the
    measuring, not the import.
    """

    def __init__(
        self, url: str, report: Report, patience: float, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Book times, late notes and the reason to stop in `report`; a note is late after `patience` seconds."""
        self._url = url.rstrip("/")
        self._report = report
        self._patience = patience
        self._http = httpx.AsyncClient(base_url=self._url, timeout=WAIT_S + 5, trust_env=False, transport=transport)
        self._readers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await self._http.aclose()

    def watch(self, path: str, note_id: str, version: int, published: float) -> None:
        """Have the note read until it shows `version`, if a reader is free; `published` is of `perf_counter`."""
        if len(self._readers) < READERS and self._report.not_measured is None:
            reader = asyncio.create_task(self._read_or_stop(path, note_id, version, published))
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)

    async def finish(self) -> None:
        """Wait until every note that is being read was seen or is late."""
        await asyncio.gather(*self._readers)

    async def _read_or_stop(self, path: str, note_id: str, version: int, published: float) -> None:
        try:
            await self._read(path, note_id, version, published)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._report.not_measured = f"{self._url} cannot be read: {str(error) or type(error).__name__}"

    async def _read(self, path: str, note_id: str, version: int, published: float) -> None:
        deadline = monotonic() + self._patience
        while (left := deadline - monotonic()) > 0:
            query = {"min_version": version, "wait": min(WAIT_S, math.ceil(left))}
            response = await self._http.get(f"/notes/{note_id}", params=query)
            if response.status_code == httpx.codes.GONE:
                return  # deleted since: there is nothing left to read
            if response.status_code == httpx.codes.OK and _version_of(response) >= version:
                self._report.times.append(perf_counter() - published)
                return
            await asyncio.sleep(PAUSE_S)
        self._report.late.append(path)


def _version_of(response: httpx.Response) -> int:
    with suppress(ValueError, KeyError, TypeError):
        return int(response.json()["version"])
    return 0
