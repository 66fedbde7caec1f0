"""Servers, services and the page as processes of this machine, for as long as `up` says or for a while."""

import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Union

from filelock import Timeout

from tools.kafka_client import client_options
from tools.stack import kafka_users
from tools.stack.errors import BuildingError, StackError
from tools.stack.folder import REPOSITORY, Folder, in_use, read_json
from tools.stack.health import check_kafka, check_service
from tools.stack.kafka import Kafka
from tools.stack.mongo import Mongo
from tools.stack.ports import Ports
from tools.stack.postgres import Postgres
from tools.stack.prepare import Preparation
from tools.stack.process import Launch, alive, load, order_file, spawn, stop, wait_until
from tools.stack.progress import Steps
from tools.stack.state import TITLES, VARIABLES, forget_ours, given_servers

# How each is asked to end: PostgreSQL's SIGINT ends sessions too, SIGQUIT skips the checkpoint.
GENTLY = {"postgres": signal.SIGINT}
AT_ONCE = {"postgres": signal.SIGQUIT, "kafka": signal.SIGKILL, "mongo": signal.SIGKILL}


Started = Union[Kafka, Postgres, Mongo, "Service"]
"""`prepare` gets everything ready and returns what to run; `settle` raises until it is of use."""
SERVERS: dict[str, Callable[..., Kafka | Postgres | Mongo]] = {"kafka": Kafka, "postgres": Postgres, "mongo": Mongo}


def start_servers(
    folder: Folder,
    names: Sequence[str] = tuple(SERVERS),
    *,
    fast: bool = False,
    closed: bool = False,
    steps: Steps | None = None,
) -> dict[str, str]:
    """Start the named servers; return their addresses. Data of an earlier start are taken up again.

    `fast` is for tests: safe against killed processes, though not against a crash of the machine. `closed`: Kafka asks
    for passwords. Raises StackError: one of them did not start; the others keep running.
    """
    folder.create()
    makers = SERVERS | ({Kafka.name: partial(closed_kafka, folder)} if closed else {})
    return start_all([makers[name](fast=fast) for name in names], folder, steps or Steps(quiet=True))


def closed_kafka(folder: Folder, *, fast: bool = False) -> Kafka:
    """Return a broker that is of use once its users have their rights."""
    users = kafka_users.passwords(folder)
    admin = kafka_users.variables(kafka_users.ADMIN, users[kafka_users.ADMIN])

    def settle(address: str) -> None:
        check_kafka(address, admin)
        kafka_users.grant_rights(client_options({**admin, VARIABLES["kafka"]: address}))

    return Kafka(fast=fast, changes=kafka_users.closed(users), check=settle)


def start_all(servers: Sequence[Started], folder: Folder, steps: Steps) -> dict[str, str]:
    """Start them side by side, those that run already excepted; return their addresses once all are of use."""
    ports = Ports(folder)
    with ThreadPoolExecutor(len(servers) or 1) as pool:
        tasks = {server.name: pool.submit(_start, server, folder, ports, steps) for server in servers}
        wait(tasks.values())
    return {name: task.result() for name, task in tasks.items()}


def _start(server: Started, folder: Folder, ports: Ports, steps: Steps) -> str:
    record = load(folder, server.name)
    launch = None if record and alive(record) else server.prepare(folder, ports, steps)
    title, said = TITLES.get(server.name, server.name), set[str]()
    with steps.step(f"{title}: {'start' if launch else 'runs already'}"):
        known = spawn(folder, server.name, launch) if launch else record
        assert known is not None
        wait_until(title, known, lambda: _settle(server, known.address, said, steps))
    return known.address


def _settle(server: Started, address: str, said: set[str], steps: Steps) -> None:
    try:
        server.settle(address)
    except BuildingError as why:
        if str(why) not in said:
            steps.say(f"  {TITLES[server.name]} waits until read models are built: {why}")
            said.add(str(why))
        raise


def stop_servers(folder: Folder, names: Collection[str] = tuple(SERVERS), *, at_once: bool = False) -> None:
    """Stop those that were started in this folder; at once leaves their files as a crash would."""
    signals: Mapping[str, signal.Signals] = AT_ONCE if at_once else GENTLY
    records = [record for name in names if (record := load(folder, name))]
    with ThreadPoolExecutor(len(names) or 1) as pool:
        list(pool.map(lambda one: stop(folder, one, signals.get(one.name, signal.SIGTERM)), records))


@contextmanager
def servers(state: Path, *, at_once: bool = False) -> Iterator[dict[str, str]]:
    """Give the addresses of all three by name: what the environment names, and for the rest native ones for a while.

    What `make up` started is left alone. Data are on disk and synced, as there; `at_once` stops them without a
    checkpoint. Raises StackError.
    """
    forget_ours()
    given, folder = given_servers(), Folder(state)
    lock = in_use(folder)
    try:
        lock.acquire()
    except Timeout:
        raise StackError(f"{state.name} runs already in this checkout; wait until it has ended.") from None
    try:
        with Steps() as steps:
            started = start_servers(folder, [name for name in SERVERS if name not in given], steps=steps)
        try:
            yield {**given, **started}
        finally:
            stop_servers(folder, at_once=at_once)
    finally:
        lock.release()


SIDES = ("command", "query")
MODULES = {"command": "notes_command", "query": "notes_query", "web": "notes_web"}
ISSUER = "issuer"
PAGE = "notes-web"
"""The name under which the issuer knows the page."""


@dataclass(frozen=True)
class Service:
    """One of the two, the page, or the issuer; `arguments` and `env` are what they are given, `ops` another port."""

    name: str
    url: str
    env: Mapping[str, str]
    arguments: Sequence[str] = ()
    ops: str | None = None

    def prepare(self, _folder: Folder, _ports: Ports, _steps: Steps) -> Launch:
        """Return what to run."""
        ports = [url.rpartition(":")[2] for url in (self.url, self.ops) if url]
        argv = ["tools.issuer", "serve", "--port", ports[0]] if self.name == ISSUER else [MODULES[self.name], "serve"]
        return Launch(
            self.url, [sys.executable, "-m", *argv, *self.arguments], [*map(int, ports)], self.env, cwd=str(REPOSITORY)
        )

    def settle(self, address: str) -> None:
        """Raise until it is ready."""
        check_service(address)


def start_services(
    folder: Folder,
    servers: Mapping[str, str],
    steps: Steps,
    preparation: Preparation,
    *,
    auth: str,
    users: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Start both and the page, once schema and topics are made, unless they run already; return their addresses.

    If `auth` is oidc they are closed, and an issuer of tokens runs beside them. `users` are Kafka's, with their
    passwords; none if it is not ours or is open.

    Raises StartError, naming the step, its reason and its log.
    """
    ports = Ports(folder)
    stop_servers(folder, [name for name in MODULES if not _knows(folder, name, servers)])
    running = {name for name in (*MODULES, ISSUER) if (record := load(folder, name)) and alive(record)}

    def url(name: str) -> str:  # what runs has the port of the last start
        port = (ports.last(name) if name.removesuffix("_ops") in running else None) or ports.choose(name)
        return f"http://127.0.0.1:{port}"

    urls, ops = {name: url(name) for name in MODULES}, {f"{name}_ops": url(f"{name}_ops") for name in SIDES}
    env = {VARIABLES[name]: address for name, address in (*servers.items(), *urls.items())}
    env |= {f"NOTES_{name.upper()}_PORT": url.rpartition(":")[2] for name, url in (urls | ops).items()}
    env |= seen_by_browsers(urls) | {"PYTHONUNBUFFERED": "1"}
    env["NOTES_AUTH"] = auth
    further = ops | {"auth": auth}
    if auth == "oidc":
        back = [f"--client={PAGE}={origin}/callback" for origin in page_origins(urls["web"])]
        issuer = Service(ISSUER, url(ISSUER), {"PYTHONUNBUFFERED": "1"}, back)
        further |= start_all([issuer], folder, steps)
        env |= closed_by(further[ISSUER])
    known = {name: kafka_users.variables(name, password) for name, password in users.items()}
    if not MODULES.keys() <= running:
        admin = env | known.get(kafka_users.ADMIN, {})
        with steps.step("Schema and topics"):
            preparation.finish(admin)
    if users:
        further |= kafka_users.told(kafka_users.UPSTREAM, users[kafka_users.UPSTREAM])
    theirs = {name: env | known.get(kafka_users.SERVICES.get(name, ""), {}) for name in urls}
    services = [Service(name, url, theirs[name], ops=ops.get(f"{name}_ops")) for name, url in urls.items()]
    return further | start_all(services, folder, steps)


def _knows(folder: Folder, name: str, servers: Mapping[str, str]) -> bool:
    """Tell whether a service was started with these addresses; a server may be elsewhere since."""
    told = (read_json(order_file(folder, name)) or {"env": {}})["env"]
    return all(told.get(VARIABLES[server]) == address for server, address in servers.items())


def page_origins(url: str) -> list[str]:
    """Return what a browser may call the page that listens on loopback."""
    return [url, url.replace("127.0.0.1", "localhost")]


def seen_by_browsers(urls: Mapping[str, str]) -> dict[str, str]:
    """Return the settings by which the page finds the services, and they let it ask."""
    origins = filter(None, [os.environ.get("NOTES_CORS_ORIGINS"), *page_origins(urls["web"])])
    places = {f"NOTES_WEB_{name.upper()}_URL": urls[name] for name in SIDES}
    return {"NOTES_CORS_ORIGINS": ",".join(origins), **places}


def closed_by(issuer: str) -> dict[str, str]:
    """Return the settings of services that take the tokens of this issuer."""
    from tools.issuer.app import SECRET  # noqa: PLC0415 - slow to import, and nothing else needs it
    from tools.issuer.issuer import AUDIENCE  # noqa: PLC0415

    client = {
        "NOTES_WEB_CLIENT_ID": PAGE,
        "NOTES_QUERY_CLIENT_ID": "query-service",
        "NOTES_QUERY_CLIENT_SECRET": SECRET,
    }
    return {"NOTES_OIDC_ISSUER": issuer, "NOTES_OIDC_AUDIENCE": AUDIENCE, **client}
