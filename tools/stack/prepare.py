"""The schema and the topics of both services, made in one process: python -m tools.stack.prepare.

It is started beside the servers, and imports meanwhile; then JSON on standard input says with which settings all is
made. Each command in a process of its own imports the same again, which was a quarter of the CPU time of a start.
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

SECONDS: Final = 120.0
COMMANDS: Final = (("notes_command", "migrate"), ("notes_command", "topics"), ("notes_query", "topics"))
IMPORTS: Final = ("notes_command.cli", "notes_command.migrations", "notes_query.commands")


class Preparation:
    """The process, as `up` sees it."""

    def __init__(self, folder: Folder) -> None:
        """Take the folder that its log is in; nothing is started yet."""
        self._log = folder.log("schema-and-topics")
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Have it import what it needs, while the servers start."""
        if self._child is None:
            argv = [sys.executable, "-m", "tools.stack.prepare"]
            with self._log.open("wb") as output:
                self._child = subprocess.Popen(
                    argv, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
                )
        return self._child

    def finish(self, env: Mapping[str, str]) -> None:
        """Have everything made, with these settings, and wait. Raises StartError: it failed, or took too long."""
        child = self.start()
        try:
            said, _ = child.communicate(json.dumps(dict(env)).encode(), SECONDS)
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


def main() -> None:
    """Do what `python -m module command` does for each command; end with the exit code of one that fails."""
    with uncollected():
        for name in IMPORTS:
            with suppress(ImportError):  # the command will say so
                import_module(name)
    os.environ.update(json.load(sys.stdin))
    for module, command in COMMANDS:
        sys.argv = [module, command, "--timeout", f"{SECONDS:g}"]
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            if end.code:
                code = 1 if isinstance(end.code, str) else end.code
                print(f"`{module} {command}` ended with exit code {code}", flush=True)
                raise


if __name__ == "__main__":
    main()
