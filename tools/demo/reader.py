"""A client of the read side."""

from collections.abc import Iterator
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import httpx

from tools.demo.checks import check

WAIT_S = 10
PAGE = 200


class Reader:
    """Reads notes over HTTP, and checks what HTTP says about them."""

    def __init__(self, url: str) -> None:
        """Read from the query-service at `url`."""
        self._http = httpx.Client(base_url=url, timeout=WAIT_S + 10, trust_env=False)

    def note(self, note_id: str, version: int) -> dict[str, Any]:
        """Return the note once it shows that version or a later one. Raises DemoError if it does not in time."""
        answer = self._http.get(f"/notes/{note_id}", params={"min_version": version, "wait": WAIT_S})
        check(f"the status of GET {answer.url.path}", answer.status_code, 200)
        check(f"the Consistency of GET {answer.url.path}", answer.headers.get("consistency"), "current")
        view: dict[str, Any] = answer.json()
        check(f"the ETag of GET {answer.url.path}", answer.headers.get("etag"), f'"{view["version"]}"')
        return view

    def timed(self, note_id: str, version: int) -> tuple[dict[str, Any], float]:
        """Return the note as `note` does, and the seconds that took."""
        began = perf_counter()
        return self.note(note_id, version), perf_counter() - began

    def summaries(self) -> Iterator[dict[str, Any]]:
        """Yield all notes as the list has them, newest first."""
        cursor: dict[str, str] = {}
        while True:
            answer = self._http.get("/notes", params={"limit": PAGE, **cursor})
            check("the status of GET /notes", answer.status_code, 200)
            page = answer.json()
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def outcome(self, command_id: str) -> dict[str, Any]:
        """Return the outcome of a command. Raises DemoError if there is none in time."""
        answer = self._http.get(f"/commands/{command_id}", params={"wait": WAIT_S})
        check(f"the status of GET {answer.url.path}", answer.status_code, 200)
        found: dict[str, Any] = answer.json()
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
