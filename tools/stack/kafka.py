"""Apache Kafka: one broker that is its own controller (KRaft)."""

import base64
import os
import subprocess
import uuid
from pathlib import Path

from tools.stack.errors import StartError
from tools.stack.folder import Folder, build_once
from tools.stack.health import check_kafka
from tools.stack.java import find_java
from tools.stack.kafka_jars import class_path
from tools.stack.ports import Ports
from tools.stack.process import Launch
from tools.stack.progress import Steps

NAME, TITLE = "kafka", "Kafka"
HEAP = "400m"
CONFIG = "kafka.properties"
LOCALE = {"LC_ALL": "C.UTF-8"}  # Java opens no file whose path has letters that its locale has not


def settings(port: int, controller_port: int, logs: str, listen: str = "127.0.0.1") -> dict[str, object]:
    """Return the broker's settings.

    One broker, so everything that is replicated by default has one copy. Dead letters of 16 MiB are a
    matter of their topics; the limits here must let them through.
    """
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{listen}:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": logs,
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "replica.fetch.max.bytes": 17 * 1024 * 1024,
        "socket.request.max.bytes": 100 * 1024 * 1024,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,  # a third of the heap by default
    }


def properties(port: int, controller_port: int, logs: str) -> str:
    """Return the settings as the file that Kafka reads."""
    return "".join(f"{key}={value}\n" for key, value in settings(port, controller_port, logs).items())


class Kafka:
    """Jars out of Maven Central on a Java of this machine or out of a package."""

    name, title = NAME, TITLE

    def __init__(self, *, fast: bool = False) -> None:
        """Take the same settings for tests: the broker leaves syncing to the system anyway."""

    def prepare(self, folder: Folder, ports: Ports, steps: Steps) -> tuple[str, Launch]:
        """Fetch the jars and format the storage where needed."""
        java = find_java()
        with steps.step("Kafka: jars"):
            jars = class_path()
        port, controller_port = ports.choose(NAME), ports.choose("kafka-controller")
        data = folder.data(NAME)
        config = folder.root / CONFIG

        def format_storage(new: Path) -> None:
            config.write_text(properties(port, controller_port, within(folder, new)))
            tool = [java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", jars, "kafka.tools.StorageTool"]
            log = folder.log("kafka-format")
            with log.open("wb") as output:
                done = subprocess.run(
                    [*tool, "format", "-t", cluster_id(), "-c", CONFIG],
                    cwd=folder.root,
                    env={**os.environ, **LOCALE},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            if done.returncode:
                raise StartError("Kafka did not start: its storage could not be formatted", log)

        if not data.exists():
            with steps.step("Kafka: format the storage"):
                build_once(data, format_storage)
        config.write_text(properties(port, controller_port, within(folder, data)))
        options = [f"-Xmx{HEAP}", f"-Xms{HEAP}", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"]
        logging = [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
            "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.utils.AppInfoParser=info",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
        ]
        argv = [java, *options, *logging, "-cp", jars, "kafka.Kafka", CONFIG]
        return f"127.0.0.1:{port}", Launch(argv, [port, controller_port], LOCALE, cwd=folder.root.resolve())

    def settle(self, address: str) -> None:
        """Raise until the broker answers."""
        check_kafka(address)


def within(folder: Folder, path: Path) -> str:
    """Return a path for Kafka, who starts in the stack's folder and takes a comma in a path for the end of it."""
    return path.relative_to(folder.root).as_posix()


def cluster_id() -> str:
    """Return a random id in Kafka's form: a UUID in URL-safe base64."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass  # the tool would take it for an option
    return text
