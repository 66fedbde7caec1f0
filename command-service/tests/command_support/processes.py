"""The command-service as processes of their own: one that serves, one that dies at an exact place, one that ends."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from notes_command.settings import Settings
from tests.harness.dead_members import remove_members
from tests.harness.programs import WITHIN_S, Ended, Running, start, until_ended


def environment(settings: Settings, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NOTES_")}
    said = settings.model_dump(exclude_none=True, exclude={"cors_origins"})
    given = {f"NOTES_{name.upper()}": str(value) for name, value in said.items()}
    return {**inherited, **given, "NOTES_COMMAND_PORT": "0", **more}


async def ended(settings: Settings, *arguments: str, **more: str) -> Ended:
    """Run `python -m …` to its end."""
    return await until_ended(*arguments, environment=environment(settings, **more))


async def told(settings: Settings, *arguments: str) -> Ended:
    """Run `python -m notes_command …` to its end."""
    return await ended(settings, "notes_command", *arguments)


async def killed_at(settings: Settings, place: str, when: str, *arguments: str) -> None:
    """Run `python -m notes_command …` (without arguments: serve) until it kills itself there, the first time."""
    found = await ended(settings, "tests.harness.crash", "notes_command", place, when, "1", *arguments)
    assert found.code == -signal.SIGKILL, f"the seam was never reached: {found}"
    await remove_members(settings.kafka, settings.command_group)


@asynccontextmanager
async def serving(settings: Settings, **more: str) -> AsyncIterator[Running]:
    """Serve in a process of its own; SIGTERM at the end."""
    given = environment(settings, **more)
    with tempfile.TemporaryFile() as log:
        process = await asyncio.to_thread(start, "notes_command", "serve", environment=given, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, WITHIN_S)
