"""Servers for a while: those that the environment names, and native ones of our own for the rest."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.stack.folder import Folder
from tools.stack.given import given_servers
from tools.stack.native import SERVERS, start_servers, stop_servers
from tools.stack.progress import Steps


@contextmanager
def servers(state: Path, needed: Sequence[str] = tuple(SERVERS), *, at_once: bool = False) -> Iterator[dict[str, str]]:
    """Give the addresses of these servers by name; what had to be started is stopped again.

    Args:
        state: folder of the started ones. Data are on disk and synced, as `make up` has it.
        needed: of `SERVERS`.
        at_once: stop them without a checkpoint.

    Raises:
        StackError: one of them did not start.

    """
    given = {name: address for name, address in given_servers().items() if name in needed}
    missing = [name for name in needed if name not in given]
    if not missing:
        yield given
        return
    folder = Folder(state)
    with Steps() as steps:
        started = start_servers(folder, missing, steps=steps)
    try:
        yield {**given, **started}
    finally:
        stop_servers(folder, at_once=at_once)
