"""Waiting for what was just started."""

import time
from collections.abc import Callable
from pathlib import Path

from tools.stack.errors import StackError, StartError, in_short
from tools.stack.process import Record, alive, listens

DEADLINE = 120.0  # seconds; a busy machine takes ten times what a quiet one does


class GoneError(Exception):
    """There is nothing left to wait for."""


def poll(check: Callable[[], object], keep_on: Callable[[], bool] = lambda: True) -> None:
    """Repeat the check until it raises nothing.

    Raises:
        TimeoutError: the deadline has passed; the text has the last reason.
        GoneError: `keep_on` says that it is no use.

    """
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            check()
        except StackError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not yet", with this reason
            why = in_short(error)
        else:
            return
        if not keep_on():
            raise GoneError
        if time.monotonic() > deadline:
            raise TimeoutError(f"no good answer within {DEADLINE:.0f} s; the last one: {why}")
        time.sleep(0.05)


def wait_until(title: str, record: Record, check: Callable[[], object]) -> None:
    """Wait for a process of ours to be of use: it is the one who listens, and what it answers is right.

    Raises:
        StartError: it has ended, or the deadline has passed.

    """

    def ours() -> None:
        if not listens(record):
            raise ConnectionError(f"the process {record.pid} does not listen there")
        check()

    try:
        poll(ours, lambda: alive(record))
    except GoneError:
        raise StartError(f"{title} did not start: the process has ended", Path(record.log)) from None
    except TimeoutError as error:
        raise StartError(f"{title} did not start at {record.address}: {error}", Path(record.log)) from None
