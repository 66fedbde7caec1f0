"""Keeps the servers of one test session: python -m tests.servers.holder FOLDER PID MARK

Starts them, writes their addresses to FOLDER/addresses.json or the reason to FOLDER/failure.txt, and stops
them as soon as the session (process PID, started at MARK) is gone, whichever way it went.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path

from tests.servers.postgres_template import drop_template
from tests.servers.session import ADDRESSES, FAILURE, HOLDER, PREFIX, Session, lives
from tools.stack.docker import choose_backend
from tools.stack.errors import StackError
from tools.stack.folder import Folder, read_json, write_whole
from tools.stack.launcher import start_mark
from tools.stack.native import SERVERS, start_servers, stop_servers
from tools.stack.postgres import purge
from tools.stack.state import given_servers, verify

LOOK_EVERY = 0.5  # seconds between two looks at the session


def main() -> None:
    session = Session(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    with contextlib.ExitStack() as stack:
        try:
            sweep(but=session.folder)
            given = given_servers()
            for name, address in given.items():
                verify(name, address)
            addresses = given | start([name for name in SERVERS if name not in given], session, stack)
        except Exception as error:
            text = str(error) if isinstance(error, StackError) else traceback.format_exc()
            write_whole(session.folder / FAILURE, text)
            raise SystemExit(1) from error
        write_whole(session.folder / ADDRESSES, json.dumps(addresses))
        if "postgres" in given:
            stack.callback(lambda: asyncio.run(drop_template(session, given["postgres"])))
        while start_mark(session.pid) == session.mark and not over.wait(LOOK_EVERY):
            pass
    shutil.rmtree(session.folder, ignore_errors=True)


def start(names: list[str], session: Session, stack: contextlib.ExitStack) -> dict[str, str]:
    """Start what the environment does not give, and have it stopped with the stack."""
    if not names:
        return {}
    if choose_backend() == "docker":
        from tests.servers.containers import Containers  # noqa: PLC0415 - slow to import

        containers = stack.enter_context(Containers(session.folder / "containers", names))
        return containers.start()
    folder = Folder(session.folder / "stack")
    stack.callback(purge, folder)
    stack.callback(lambda: stop_servers(folder, at_once=True))
    return start_servers(folder, names, fast=True)


def sweep(but: Path) -> None:
    """Stop and remove what a session left whose holder was killed."""
    for folder in but.parent.glob(f"{PREFIX}*"):
        if folder == but or folder.stat().st_uid != os.getuid():
            continue
        holder = read_json(folder / HOLDER)
        if holder and not lives(holder) and not lives(holder["session"]):
            stack = Folder(folder / "stack")
            stop_servers(stack, at_once=True)
            purge(stack)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
