"""Both services as processes of this machine, with the schema and the topics they need."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from tools.stack.errors import StartError
from tools.stack.folder import REPOSITORY, Folder
from tools.stack.health import check_service
from tools.stack.ports import Ports
from tools.stack.process import Launch, Record, alive, load, spawn, stop
from tools.stack.progress import Steps
from tools.stack.state import VARIABLES
from tools.stack.wait import wait_until

MODULES = {"command": "notes_command", "query": "notes_query"}
TITLES = {"command": "command-service", "query": "query-service"}
PREPARATIONS = {
    "command-migrate": ("notes_command", "migrate"),
    "command-topics": ("notes_command", "topics"),
    "query-topics": ("notes_query", "topics"),
}
PREPARATION_SECONDS = 120


def start_services(folder: Folder, servers: Mapping[str, str], steps: Steps) -> dict[str, str]:
    """Migrate and make topics if a service is to be started; start both, those that run already excepted.

    Args:
        folder: state and logs.
        servers: addresses of the three servers.
        steps: where progress is shown.

    Returns:
        The services' base URLs.

    Raises:
        StartError: naming the step, its reason and its log.

    """
    ports = Ports(folder)
    running = {name: record for name in MODULES if (record := load(folder, name)) and alive(record)}
    urls = {
        name: running[name].address if name in running else f"http://127.0.0.1:{ports.choose(name)}" for name in MODULES
    }
    env = {VARIABLES[name]: address for name, address in (*servers.items(), *urls.items())}
    for name, url in urls.items():
        env[f"NOTES_{name.upper()}_PORT"] = url.rpartition(":")[2]
    env["PYTHONUNBUFFERED"] = "1"
    if len(running) < len(MODULES):
        with steps.step("Schema and topics"), ThreadPoolExecutor(len(PREPARATIONS)) as pool:
            list(pool.map(lambda name: prepare(folder, name, env), PREPARATIONS))
    with ThreadPoolExecutor(len(MODULES)) as pool:
        list(pool.map(lambda name: serve(folder, name, urls[name], env, steps), MODULES))
    return urls


def prepare(folder: Folder, name: str, env: Mapping[str, str]) -> None:
    """Run one of `PREPARATIONS` to its end."""
    module, command = PREPARATIONS[name]
    log = folder.log(name)
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                [sys.executable, "-m", module, command],
                env={**os.environ, **env},
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=PREPARATION_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StartError(f"`{module} {command}` was not done after {PREPARATION_SECONDS} s", log) from None
    if done.returncode:
        raise StartError(f"`{module} {command}` ended with exit code {done.returncode}", log)


def serve(folder: Folder, name: str, url: str, env: Mapping[str, str], steps: Steps) -> None:
    """Start one service, or join one that runs, and wait until it is ready."""
    record = load(folder, name)
    with steps.step(f"{TITLES[name]}: {'runs already' if record and alive(record) else 'start'}"):
        if not record or not alive(record):
            argv = [sys.executable, "-m", MODULES[name], "serve"]
            launch = Launch(argv, [int(env[f"NOTES_{name.upper()}_PORT"])], env, cwd=REPOSITORY)
            record = spawn(folder, Record(name, url, str(folder.log(name)), ports=list(launch.ports)), launch)
        wait_until(TITLES[name], record, lambda: check_service(url))


def stop_services(folder: Folder) -> None:
    """Let both services finish what they are at, and end."""
    records = [record for name in MODULES if (record := load(folder, name))]
    with ThreadPoolExecutor(len(MODULES)) as pool:
        list(pool.map(lambda record: stop(folder, record, signal.SIGTERM), records))
