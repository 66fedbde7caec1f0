"""The command-service as processes of their own: one that serves, one that dies at an exact place, one that ends."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from notes_command.settings import Settings
from tests.harness.dead_members import remove_members

WITHIN_S = 90


@dataclass(frozen=True)
class Ended:
    """What a program left behind."""

    code: int | None
    out: str
    err: str


def environment(settings: Settings, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NOTES_")}
    said = settings.model_dump(exclude_none=True, exclude={"cors_origins"})
    given = {f"NOTES_{name.upper()}": str(value) for name, value in said.items()}
    return {**inherited, **given, "NOTES_COMMAND_PORT": "0", **more}


async def ended(settings: Settings, *arguments: str, **more: str) -> Ended:
    """Run `python -m …` to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, env=environment(settings, **more), stdout=PIPE, stderr=PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode, out.decode(), err.decode())


async def told(settings: Settings, *arguments: str) -> Ended:
    """Run `python -m notes_command …` to its end."""
    return await ended(settings, "notes_command", *arguments)


async def killed_at(settings: Settings, place: str, when: str, *arguments: str) -> None:
    """Run `python -m notes_command …` (without arguments: serve) until it kills itself there, the first time."""
    found = await ended(settings, "tests.harness.crash", "notes_command", place, when, "1", *arguments)
    assert found.code == -signal.SIGKILL, f"the seam was never reached: {found}"
    await remove_members(settings.kafka, settings.command_group)


@asynccontextmanager
async def serving(settings: Settings, **more: str) -> AsyncIterator[Process]:
    """Serve in a process of its own; SIGTERM at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "notes_command", "serve", env=environment(settings, **more), stderr=DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), WITHIN_S)
