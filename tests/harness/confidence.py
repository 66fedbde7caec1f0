"""What a system was told in confidence, and all that it has said."""

import base64
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

_is_token: Final = re.compile(r"eyJ[\w-]{8,}\.[\w-]+").search
_ANY_TOKEN: Final = "any token"


@dataclass
class Confidence:
    """Secrets by name, and texts by where they were said."""

    secrets: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def secret(self, name: str, value: str | None = None) -> str:
        """Return a new secret, or note the one that is given."""
        return self.secrets.setdefault(name, value or secrets.token_hex(12))

    def hear(self, where: str, text: str) -> None:
        """Note what was said there, beside what was said there before."""
        self.said[where] = f"{self.said.get(where, '')}{text}\n"

    async def hear_answer(self, answer: httpx.Response) -> None:
        """Note all headers, and the body of an error; what else a body holds was asked for. A hook of httpx."""
        host = str(answer.request.url.port)
        self.hear(f"headers of {host}", str(answer.headers.multi_items()))
        if answer.is_error:
            self.hear(f"errors of {host}", (await answer.aread()).decode())

    def hear_process(self, name: str, pid: int, log: Path) -> None:
        """Note a running process's log, arguments and environment."""
        self.hear(f"log of {name}", log.read_text())
        for what in ("cmdline", "environ"):
            self.hear(f"{what} of {name}", Path(f"/proc/{pid}/{what}").read_text())

    def leaks(self) -> set[tuple[str, str]]:
        """Return which secret was said where, in the clear or within base64."""
        found = {
            (name, where)
            for name, value in self.secrets.items()
            for where, text in self.said.items()
            if any(form in text for form in _forms(value))
        }
        return found | {(_ANY_TOKEN, where) for where, text in self.said.items() if _is_token(text)}


def _forms(value: str) -> Iterator[str]:
    yield value
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value.encode()).decode()
        yield encoded[4 if before else 0 : -4]
