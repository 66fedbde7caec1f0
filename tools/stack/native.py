"""The three servers as processes of this machine, for as long as `up` says or for a while."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tools.stack.folder import Folder
from tools.stack.given import given_servers
from tools.stack.kafka import Kafka
from tools.stack.mongo import Mongo
from tools.stack.ports import Ports
from tools.stack.postgres import Postgres
from tools.stack.process import Launch, Record, alive, load, spawn, stop
from tools.stack.progress import Steps
from tools.stack.wait import wait_until

# How each is asked to end: PostgreSQL's SIGINT ends sessions too, SIGQUIT skips the checkpoint.
GENTLY = {"postgres": signal.SIGINT}
AT_ONCE = {"postgres": signal.SIGQUIT, "kafka": signal.SIGKILL, "mongo": signal.SIGKILL}


class Server(Protocol):
    """What is known of each kind of server."""

    name: str
    title: str

    def prepare(self, folder: Folder, ports: Ports, steps: Steps) -> tuple[str, Launch]:
        """Get everything ready; return the address it will have and what to run."""

    def settle(self, address: str) -> None:
        """Raise until it is of use."""


SERVERS: dict[str, Callable[..., Server]] = {"kafka": Kafka, "postgres": Postgres, "mongo": Mongo}


def start_servers(
    folder: Folder, names: Sequence[str] = tuple(SERVERS), *, fast: bool = False, steps: Steps | None = None
) -> dict[str, str]:
    """Start the named servers side by side, those that run already excepted; return their addresses.

    Args:
        folder: state, data and logs; data of an earlier start are taken up again.
        names: of `SERVERS`.
        fast: for tests: safe against killed processes, though not against a crash of the machine.
        steps: where progress is shown, nowhere by default.

    Raises:
        StackError: one of them did not start; the others keep running.

    """
    folder.create()
    ports = Ports(folder)
    shown = steps or Steps(quiet=True)
    servers = [SERVERS[name](fast=fast) for name in names]
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        tasks = [pool.submit(start, server, folder, ports, shown) for server in servers]
        wait(tasks)
    return {server.name: task.result() for server, task in zip(servers, tasks, strict=True)}


def start(server: Server, folder: Folder, ports: Ports, steps: Steps) -> str:
    """Start one server, or join one that runs, and return its address once it is of use."""
    record = load(folder, server.name)
    if not record or not alive(record):
        address, launch = server.prepare(folder, ports, steps)
        record = Record(server.name, address, str(folder.log(server.name)), ports=list(launch.ports))
        with steps.step(f"{server.title}: start"):
            record = spawn(folder, record, launch)
            wait_until(server.title, record, lambda: server.settle(address))
    else:
        known = record.address
        with steps.step(f"{server.title}: runs already"):
            wait_until(server.title, record, lambda: server.settle(known))
    return record.address


def stop_servers(folder: Folder, *, at_once: bool = False) -> None:
    """Stop the servers that were started in this folder; at once leaves their files as a crash would."""
    signals = AT_ONCE if at_once else GENTLY
    records = [record for name in SERVERS if (record := load(folder, name))]
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        list(pool.map(lambda one: stop(folder, one, signals.get(one.name, signal.SIGTERM)), records))


@contextmanager
def servers(state: Path, needed: Sequence[str] = tuple(SERVERS), *, at_once: bool = False) -> Iterator[dict[str, str]]:
    """Give the addresses of these servers by name; what had to be started is stopped again.

    Those that are started have data on disk and synced, as `make up` has it; `at_once` stops them without a checkpoint.
    Raises StackError.
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
