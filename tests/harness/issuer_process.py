"""The issuer for development, as a process of its own."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.harness.programs import Running, start
from tools.issuer.app import SECRET
from tools.issuer.issuer import AUDIENCE, LASTS_S, SCOPES
from tools.stack.ports import any_port

WITHIN_S: Final = 20.0


@dataclass(frozen=True)
class IssuerProcess:
    """Where it is, and what it writes."""

    url: str
    log: Path
    process: Running

    @property
    def settings(self) -> dict[str, str]:
        """What a service is told that believes it."""
        return {"NOTES_AUTH": "oidc", "NOTES_OIDC_ISSUER": self.url, "NOTES_OIDC_AUDIENCE": AUDIENCE}

    def token(self, scope: str = " ".join(SCOPES), **form: Any) -> dict[str, str]:
        """Return the header with a token."""
        asked = {"grant_type": "client_credentials", "client_id": "tests", "client_secret": SECRET, "scope": scope}
        answer = httpx.post(f"{self.url}/token", data=asked | form, trust_env=False, verify=False).json()
        return {"Authorization": f"Bearer {answer['access_token']}"}

    def stop(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


@contextmanager
def issuer_process(log: Path, lasts_s: int = LASTS_S, *, deployed: bool = False) -> Iterator[IssuerProcess]:
    """Run it until the end of the block; its tokens last so long unless asked. `deployed`: see `programs.start`."""
    port = any_port()
    words = ("tools.issuer", "serve", "--port", str(port), "--lasts", str(lasts_s))
    with log.open("wb") as file:
        process = start(*words, environment=os.environ, stdout=file, stderr=file, deployed=deployed)
    issuer = IssuerProcess(f"http://127.0.0.1:{port}", log, process)
    try:
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                httpx.get(f"{issuer.url}/keys", trust_env=False, verify=False)  # it speaks no TLS
                break
            time.sleep(0.05)
        yield issuer
    finally:
        issuer.stop()
