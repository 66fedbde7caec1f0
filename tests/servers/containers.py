"""The servers as containers.

Each listens on one port, the same inside and outside, so that the address it tells its clients (Kafka's
listener, the replica set's member) is right on both sides.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from testcontainers.core.container import DockerContainer

from tools.stack import postgres
from tools.stack.errors import StackError
from tools.stack.folder import Folder
from tools.stack.kafka import HEAP, Kafka, settings
from tools.stack.mongo import SET, Mongo
from tools.stack.native import SERVERS
from tools.stack.ports import Ports
from tools.stack.process import poll
from tools.stack.state import TITLES

KAFKA, POSTGRES, MONGO = "apache/kafka:4.1.0", "postgres:17", "mongo:7.0"
CONTROLLER_PORT = 19093


def published(image: str, port: int) -> DockerContainer:
    container = DockerContainer(image)
    ports = cast("dict[str, object]", container.ports)  # the engine takes an interface too, the type does not
    ports[str(port)] = ("127.0.0.1", port)
    return container


def kafka(port: int) -> tuple[DockerContainer, str]:
    java = [f"-Xmx{HEAP}", *Kafka(fast=True).java_options]
    container = published(KAFKA, port).with_env("KAFKA_HEAP_OPTS", " ".join(java))
    for key, value in settings(port, CONTROLLER_PORT, "/tmp/kafka-logs", "0.0.0.0").items():
        container.with_env("KAFKA_" + key.upper().replace(".", "_"), str(value))
    return container, f"127.0.0.1:{port}"


def postgresql(port: int) -> tuple[DockerContainer, str]:
    who = postgres.WHO
    options = f"-c port={port} -c max_connections=200 -c fsync=off -c full_page_writes=off"
    container = published(POSTGRES, port).with_command(f"postgres {options}")
    for name in ("USER", "PASSWORD", "DB"):
        container.with_env(f"POSTGRES_{name}", who)
    return container, f"postgresql://{who}:{who}@127.0.0.1:{port}/{who}"


def mongodb(port: int) -> tuple[DockerContainer, str]:
    options = ["--replSet", SET, "--port", str(port), "--bind_ip_all", *Mongo(fast=True)._options]
    container = published(MONGO, port).with_command(options)
    return container, f"mongodb://127.0.0.1:{port}/notes?replicaSet={SET}"


RECIPES = {"kafka": kafka, "postgres": postgresql, "mongo": mongodb}


class Containers:
    """Containers that are up together and go together."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self._folder, self._names = Folder(folder), names
        self._running: list[DockerContainer] = []

    def start(self) -> dict[str, str]:
        self._folder.create()
        ports = Ports(self._folder)
        with ThreadPoolExecutor(len(RECIPES)) as pool:
            tasks = {name: pool.submit(self._start, name, ports.choose(name)) for name in self._names}
        return {name: task.result() for name, task in tasks.items()}

    def _start(self, name: str, port: int) -> str:
        container, address = RECIPES[name](port)
        self._running.append(container)
        container.start()
        server = SERVERS[name]()
        try:
            poll(lambda: server.settle(address))
        except TimeoutError as error:
            output = b"".join(container.get_logs()).decode(errors="replace").splitlines()[-12:]
            raise StackError(
                "\n  | ".join([f"{TITLES[name]} did not start in a container: {error}", *output])
            ) from None
        return address

    def stop(self) -> None:
        for container in self._running:
            container.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
