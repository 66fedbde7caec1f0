"""The three servers as processes of this machine, for as long as `up` says or for a while."""

import signal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tools.stack.folder import Folder
from tools.stack.kafka import Kafka
from tools.stack.mongo import Mongo
from tools.stack.ports import Ports
from tools.stack.postgres import Postgres
from tools.stack.process import Launch, alive, load, spawn, stop, wait_until
from tools.stack.progress import Steps
from tools.stack.state import given_servers

# How each is asked to end: PostgreSQL's SIGINT ends sessions too, SIGQUIT skips the checkpoint.
GENTLY = {"postgres": signal.SIGINT}
AT_ONCE = {"postgres": signal.SIGQUIT, "kafka": signal.SIGKILL, "mongo": signal.SIGKILL}


class Server(Protocol):
    """What is known of each kind of server, and of each service."""

    @property
    def name(self) -> str:
        """As `state.VARIABLES` has it."""

    @property
    def title(self) -> str:
        """As people call it."""

    def prepare(self, folder: Folder, ports: Ports, steps: Steps) -> Launch:
        """Get everything ready; return what to run."""

    def settle(self, address: str) -> None:
        """Raise until it is of use."""


SERVERS: dict[str, Callable[..., Server]] = {"kafka": Kafka, "postgres": Postgres, "mongo": Mongo}


def start_servers(
    folder: Folder, names: Sequence[str] = tuple(SERVERS), *, fast: bool = False, steps: Steps | None = None
) -> dict[str, str]:
    """Start the named servers; return their addresses. Data of an earlier start are taken up again.

    `fast` is for tests: safe against killed processes, though not against a crash of the machine. Raises StackError:
    one of them did not start; the others keep running.
    """
    folder.create()
    return start_all([SERVERS[name](fast=fast) for name in names], folder, steps or Steps(quiet=True))


def start_all(servers: Sequence[Server], folder: Folder, steps: Steps) -> dict[str, str]:
    """Start them side by side, those that run already excepted; return their addresses once all are of use."""
    ports = Ports(folder)
    with ThreadPoolExecutor(len(servers) or 1) as pool:
        tasks = {server.name: pool.submit(_start, server, folder, ports, steps) for server in servers}
        wait(tasks.values())
    return {name: task.result() for name, task in tasks.items()}


def _start(server: Server, folder: Folder, ports: Ports, steps: Steps) -> str:
    record = load(folder, server.name)
    launch = None if record and alive(record) else server.prepare(folder, ports, steps)
    with steps.step(f"{server.title}: {'start' if launch else 'runs already'}"):
        known = spawn(folder, server.name, launch) if launch else record
        assert known is not None
        wait_until(server.title, known, lambda: server.settle(known.address))
    return known.address


def stop_servers(folder: Folder, names: Collection[str] = tuple(SERVERS), *, at_once: bool = False) -> None:
    """Stop those that were started in this folder; at once leaves their files as a crash would."""
    signals: Mapping[str, signal.Signals] = AT_ONCE if at_once else GENTLY
    records = [record for name in names if (record := load(folder, name))]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda one: stop(folder, one, signals.get(one.name, signal.SIGTERM)), records))


@contextmanager
def servers(state: Path, *, at_once: bool = False) -> Iterator[dict[str, str]]:
    """Give the addresses of all three by name: what the environment names, and for the rest native ones for a while.

    Data are on disk and synced, as `make up` has it; `at_once` stops them without a checkpoint. Raises StackError.
    """
    given, folder = given_servers(), Folder(state)
    with Steps() as steps:
        started = start_servers(folder, [name for name in SERVERS if name not in given], steps=steps)
    try:
        yield {**given, **started}
    finally:
        stop_servers(folder, at_once=at_once)
