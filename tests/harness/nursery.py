"""Forks the programs of tests: `python -m tests.harness.nursery FD`. Its only client is `tests.harness.programs`.

To import a service takes a second of CPU, a hundred times what a fork takes. This process has imported the services
and nothing else has happened in it: it has no thread, no event loop and no connection. A fork of it runs the program
as `python -m` does, or as `python` does if it is told by a path.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

PREPARED: Final = {
    "notes_command": ("notes_command.__main__",),
    "notes_query": ("notes_query.__main__", "notes_query.app"),
    "notes_web": ("notes_web.__main__",),
    "tools.demo": ("tools.demo.system", "tools.kafka_client", "tools.markdown_import.files"),
    "tools.issuer": ("tools.issuer.__main__",),
    "tools.stack": ("tools.stack.__main__",),
    "import_markdown": ("tools.markdown_import.command",),
}
"""What is imported before a program is run that has this name, or has it for its first argument."""


def serve(orders: socket.socket) -> None:
    """Start what is ordered, and tell how it ended, until the client is gone: then all that still runs is killed.

    An order is one byte and three files: the connection of this program, its stdout and its stderr. On the connection
    come the words and the environment; its process id and its exit code go back.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([orders, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            tell(running, os.WNOHANG)
        if orders in ready:
            taken, files, _, _ = socket.recv_fds(orders, 1, 3)
            if not taken:
                for pid in running:
                    os.kill(pid, signal.SIGKILL)
                tell(running, 0)
                return
            connection, *outputs = socket.socket(fileno=files[0]), *files[1:]
            order = json.loads(connection.makefile("rb").readline())
            with suppress(Exception):  # the fork imports again, and says what is wrong
                prepare(order["words"][:2])
            if not (pid := os.fork()):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for one in (orders, connection, *running.values()):
                    one.close()
                for one in (woken, wake):
                    os.close(one)
                become(order, outputs)
            running[pid] = connection
            connection.sendall(b"%d\n" % pid)
            for one in outputs:
                os.close(one)


def tell(running: dict[int, socket.socket], how: int) -> None:
    """Tell the clients of all that have ended, if they are still there."""
    while running:
        pid, status = os.waitpid(-1, how)
        if not pid:
            return
        with running.pop(pid) as connection, suppress(OSError):
            connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def prepare(words: list[str]) -> None:
    """Import what these programs import."""
    wanted = [module for word in words for module in PREPARED.get(Path(word).name, ())]
    if all(module.removesuffix(".__main__") in sys.modules for module in wanted):
        return
    for module in wanted:
        importlib.import_module(module)
        if module.endswith(".__main__"):  # it is run anew, under another name
            del sys.modules[module]
    gc.collect()
    gc.freeze()


def become(order: dict[str, Any], outputs: list[int]) -> NoReturn:
    """Be the program that is ordered."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for at, file in enumerate((nothing, *outputs)):
        os.dup2(file, at)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = order["words"]
    if os.sep in sys.argv[0]:
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
