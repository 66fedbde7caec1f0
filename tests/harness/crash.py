"""Run a service that kills itself, with SIGKILL, at one exact place.

    python -m tests.harness.crash notes_command notes_command.outbox.store:PostgresOutbox.delete before 1

The nth call of that coroutine method ends the process before it begins or after it has returned: nothing is flushed,
no `finally` runs. The service itself knows nothing of this. It serves, unless more arguments say what else it does.
"""

import importlib
import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any


def method_at(place: str) -> tuple[type, str]:
    """Return the class and the name of the method that is there. Raises AttributeError, ModuleNotFoundError."""
    module_name, _, path = place.partition(":")
    class_name, _, method_name = path.partition(".")
    owner = getattr(importlib.import_module(module_name), class_name)
    getattr(owner, method_name)
    return owner, method_name


def plant(place: str, when: str, nth: int) -> None:
    """Replace the method by one that kills."""
    owner, method_name = method_at(place)
    original: Callable[..., Any] = getattr(owner, method_name)
    calls = 0

    async def deadly(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        this = calls  # others may begin before this one returns
        if this == nth and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = await original(*arguments, **named)
        if this == nth and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method_name, deadly)


if __name__ == "__main__":
    service, seam, moment, number = sys.argv[1:5]
    plant(seam, moment, int(number))
    sys.argv = [service, *(sys.argv[5:] or ["serve"])]
    runpy.run_module(service, run_name="__main__", alter_sys=True)
