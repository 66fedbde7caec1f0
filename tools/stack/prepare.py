"""The schema and the topics of both services, made in one process: python -m tools.stack.prepare.

It is started beside the servers, and imports meanwhile; then lines of JSON on standard input say what can be made. Each
command in a process of its own imports the same again, which was a quarter of the CPU time of a start.
"""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Final

from notes_chassis.memory import uncollected
from tools.stack.errors import StartError
from tools.stack.folder import REPOSITORY, Folder
from tools.stack.state import VARIABLES

LOG: Final = "schema-and-topics"
SECONDS: Final = 120.0
SCHEMA, TOPICS = "schema", "topics"
COMMANDS: Final = {
    SCHEMA: (("notes_command", "migrate"),),
    TOPICS: (("notes_command", "topics"), ("notes_query", "topics")),
}
IMPORTS: Final = ("notes_command.cli", "notes_command.migrations", "notes_query.commands")


class Preparation:
    """The process, as `up` sees it."""

    def __init__(self, folder: Folder) -> None:
        """Take the folder that its log is in; nothing is started yet."""
        self._log = folder.log(LOG)
        self._child: subprocess.Popen[bytes] | None = None
        self._asked: set[str] = set()

    def start(self) -> subprocess.Popen[bytes]:
        """Have it import what it needs, while the servers start."""
        if self._child is None:
            argv = [sys.executable, "-m", "tools.stack.prepare"]
            with self._log.open("wb") as output:
                self._child = subprocess.Popen(
                    argv, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
                )
        return self._child

    def server_is_there(self, name: str, address: str) -> None:
        """Begin with what needs this server alone."""
        if name == "postgres":
            self.ask(SCHEMA, {VARIABLES[name]: address})

    def ask(self, what: str, env: Mapping[str, str]) -> None:
        """Have the one or the other made, with these settings. Once is enough."""
        pipe = self.start().stdin
        assert pipe is not None
        if what not in self._asked:
            self._asked.add(what)
            with suppress(BrokenPipeError):  # it has failed already, which `finish` tells
                pipe.write(json.dumps([what, dict(env)]).encode() + b"\n")
                pipe.flush()

    def finish(self, env: Mapping[str, str]) -> None:
        """Have made what is not asked for yet, and wait. Raises StartError: something failed, or took too long."""
        for what in COMMANDS:
            self.ask(what, env)
        child = self.start()
        try:
            said, _ = child.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise StartError(f"Schema and topics were not made within {SECONDS:g} s", self._log) from None
        if child.returncode:
            why = said.decode().splitlines() or [f"Schema and topics were not made: exit code {child.returncode}"]
            raise StartError(why[-1], self._log)

    def close(self) -> None:
        """Leave no process behind."""
        if self._child is not None:
            self._child.terminate()
            self._child.communicate()


def main() -> int:
    """Do what is asked for, one after the other; return the exit code of the first that failed, and write which."""
    with uncollected():
        for name in IMPORTS:
            with suppress(ImportError):  # the command will say so
                import_module(name)
    for line in sys.stdin:
        what, env = json.loads(line)
        os.environ.update(env)
        for module, command in COMMANDS[what]:
            if code := run(module, command):
                print(f"`{module} {command}` ended with exit code {code}", flush=True)
                return code
    return 0


def run(module: str, command: str) -> int:
    """Do what `python -m module command` does; return its exit code."""
    sys.argv = [module, command, "--timeout", f"{SECONDS:g}"]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
