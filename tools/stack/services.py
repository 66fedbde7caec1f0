"""Both services as processes of this machine, with the schema and the topics they need."""

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tools.stack.folder import REPOSITORY, Folder
from tools.stack.health import check_service
from tools.stack.native import start_all
from tools.stack.ports import Ports
from tools.stack.process import Launch, alive, load, run_to_end
from tools.stack.progress import Steps
from tools.stack.state import VARIABLES

MODULES = {"command": "notes_command", "query": "notes_query"}
PREPARATIONS = {
    "command-migrate": ("notes_command", "migrate"),
    "command-topics": ("notes_command", "topics"),
    "query-topics": ("notes_query", "topics"),
}
PREPARATION_SECONDS = 120


@dataclass(frozen=True)
class Service:
    """One of the two; `env` is what both are given."""

    name: str
    url: str
    env: Mapping[str, str]

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.name}-service"

    def prepare(self, _folder: Folder, _ports: Ports, _steps: Steps) -> Launch:
        """Return what to run."""
        argv = [sys.executable, "-m", MODULES[self.name], "serve"]
        return Launch(self.url, argv, [int(self.url.rpartition(":")[2])], self.env, cwd=str(REPOSITORY))

    def settle(self, address: str) -> None:
        """Raise until it is ready."""
        check_service(address)


def start_services(folder: Folder, servers: Mapping[str, str], steps: Steps) -> dict[str, str]:
    """Start both, and migrate and make topics before, unless they run already; return their base URLs.

    Raises StartError, naming the step, its reason and its log.
    """
    ports = Ports(folder)
    running = {name: record for name in MODULES if (record := load(folder, name)) and alive(record)}
    urls = {
        name: running[name].address if name in running else f"http://127.0.0.1:{ports.choose(name)}" for name in MODULES
    }
    env = {VARIABLES[name]: address for name, address in (*servers.items(), *urls.items())}
    env |= {f"NOTES_{name.upper()}_PORT": url.rpartition(":")[2] for name, url in urls.items()}
    env["PYTHONUNBUFFERED"] = "1"
    if len(running) < len(MODULES):
        with steps.step("Schema and topics"), ThreadPoolExecutor(len(PREPARATIONS)) as pool:
            list(pool.map(lambda name: _prepare(folder, name, env), PREPARATIONS))
    return start_all([Service(name, url, env) for name, url in urls.items()], folder, steps)


def _prepare(folder: Folder, name: str, env: Mapping[str, str]) -> None:
    module, command = PREPARATIONS[name]
    argv = [sys.executable, "-m", module, command]
    what, env = f"`{module} {command}`", {**os.environ, **env}
    run_to_end(what, argv, folder.log(name), PREPARATION_SECONDS, env=env, cwd=REPOSITORY)
