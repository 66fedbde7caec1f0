"""Bring everything up, take everything down."""

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import Timeout

from tools.stack import docker, kafka_users
from tools.stack.errors import StackError, StartError
from tools.stack.folder import Folder, holder, in_use, locked
from tools.stack.health import trouble
from tools.stack.keeper import NAME as KEEPER
from tools.stack.keeper import kept, start_keeper
from tools.stack.native import ISSUER, MODULES, start_servers, start_services, stop_servers
from tools.stack.postgres import purge as purge_postgres
from tools.stack.prepare import Preparation
from tools.stack.process import listens, load, stop
from tools.stack.progress import Steps
from tools.stack.state import (
    SERVERS,
    State,
    asked,
    given_servers,
    last_backend,
    load_state,
    remember_ours,
    save_state,
    verify,
)

A_RESTART = 5.0  # seconds for which the keeper may have the lock


@contextmanager
def alone(folder: Folder) -> Iterator[None]:
    """Keep a second `up` or `down` of this folder out. Raises StackError: one runs; says which process."""
    folder.create()
    try:
        with locked(folder, A_RESTART):
            yield
    except Timeout:
        raise StackError(f"Another up or down is at work in {folder.root} ({holder(folder)}). Wait for it.") from None


def up(folder: Folder, steps: Steps) -> State:
    """Bring up what is not up yet, and return what is.

    Raises StackError: what failed, and where its log is. What did start keeps running.
    """
    with alone(folder):
        given = given_servers(folder)
        auth = settle_auth(folder)
        if "kafka" not in given:
            kafka_users.forget()
        if present := running_well(folder, given):
            settle_backend(folder, [], steps)
            start_keeper(folder)
            return present
        if keeper := load(folder, KEEPER):
            stop(folder, keeper)  # it holds the ports of what has ended, which are to be the same again
        try:
            return bring_up(folder, given, auth, steps)
        finally:
            start_keeper(folder)


def bring_up(folder: Folder, given: Mapping[str, str], auth: str, steps: Steps) -> State:
    """Start what does not run. Raises StackError."""
    for name, address in given.items():
        with steps.step(f"{name}: given by the environment"):
            verify(name, address)
    missing = [name for name in SERVERS if name not in given]
    backend = settle_backend(folder, missing, steps)
    save_state(
        folder, State(backend, {"auth": auth}, list(given))
    )  # an interrupted start must not be opened by the next
    with closing(Preparation(folder)) as preparation:
        if backend == "docker" and missing:
            started = docker.start_containers(folder, missing, steps)
        else:
            preparation.start()
            started = start_servers(folder, missing, closed=auth == "oidc", steps=steps)
        remember_ours(folder, {name: started[name] for name in missing})
        addresses = {**given, **started}
        if "command" not in addresses:
            users = kafka_users.passwords(folder) if "kafka" in missing and auth == "oidc" else {}
            servers = {name: addresses[name] for name in SERVERS}
            addresses |= start_services(folder, servers, steps, preparation, auth=auth, users=users)
    state = State(backend, addresses, list(given))
    save_state(folder, state)
    for record in kept(folder):
        if not listens(record):  # it may have ended while we waited for another
            raise StartError(f"{record.name} has ended, though it had started", Path(record.log))
    return state


def running_well(folder: Folder, given: Mapping[str, str]) -> State | None:
    """Return what is up if that is all there should be, and the services and the page say that they are of use."""
    present = load_state(folder)
    if present is None or {name: present.addresses.get(name) for name in present.given} != given:
        return None
    mine = kept(folder)
    others = {*MODULES, *SERVERS} - given.keys() - {record.name for record in mine}
    if not MODULES.keys() <= present.addresses.keys():
        return None  # an earlier release brought it up, or it was interrupted
    if not all(map(listens, mine)) or (others and not others <= docker.running(folder, present).keys()):
        return None
    with ThreadPoolExecutor(len(MODULES)) as pool:
        troubles = list(pool.map(lambda name: trouble(name, present.addresses[name]), MODULES))
    return None if any(troubles) else present


def settle_auth(folder: Folder) -> str:
    """Return `oidc` if the stack is to be closed, else `none`; without AUTH it stays as it is, up or interrupted.

    Raises StackError: it is up open and should be closed, or the other way round.
    """
    present, auth = load_state(folder), asked("AUTH")
    there = present.addresses.get("auth") if present else None
    if auth and there and auth != there:
        raise StackError(f"The stack is up with AUTH={there}. Take it down first: make down")
    return auth or there or "none"


def settle_backend(folder: Folder, missing: list[str], steps: Steps) -> str:
    """Return the backend that is up already, else the one to take."""
    present = load_state(folder)
    if present is None and asked("AUTH") == "oidc":
        if asked("BACKEND") == "docker":
            raise StackError("AUTH=oidc needs BACKEND=native: containers do not reach the issuer on this machine.")
        return "native"
    if present is None:
        return docker.choose_backend(last_backend(folder), steps.say) if missing else "native"
    if asked("BACKEND") not in (None, "auto", present.backend):
        raise StackError(f"The stack is up with BACKEND={present.backend}. Take it down first: make down")
    return present.backend


def down_with_left(folder: Folder, steps: Steps, *, purge: bool = False) -> bool:
    """Take down what `up` started, and below its folder what demo, soak and bench left; tell if there was anything.

    What is at work goes on. Raises StackError with `purge`, before which it has to end.
    """
    anything, busy = down(folder, steps, purge=purge), list[str]()
    for run in sorted(folder.root.glob("*/run")):
        left = Folder(run.parent)
        try:
            with in_use(left):
                kept_by_demo = left.root / "kept"
                anything |= down(left, steps, purge=purge or kept_by_demo.exists())
                kept_by_demo.unlink(missing_ok=True)
        except Timeout:
            busy.append(left.root.name)
            steps.say(f"{left.root.name} is at work in {left.root}, and goes on.")
    if busy and purge:
        raise StackError(f"{' and '.join(busy)} must end first, or be interrupted.")
    return anything


def down(folder: Folder, steps: Steps, *, purge: bool = False) -> bool:
    """Stop what `up` started, and nothing else; tell whether there was anything. `purge` removes data and logs too."""
    with alone(folder):
        state = load_state(folder)
        anything = state is not None or any(folder.run.iterdir())
        if anything:
            if keeper := load(folder, KEEPER):
                stop(folder, keeper)
            with steps.step("Services: stop"):
                stop_servers(folder, (*MODULES, ISSUER))
            with steps.step("Servers: stop"):
                stop_servers(folder)
        # A start leaves a log, which a purge removes: there may be volumes and images, up or not.
        if (state and state.backend == "docker") or (purge and folder.log("compose").exists()):
            anything = True
            with steps.step("Docker: remove the containers"):
                docker.stop_containers(folder, purge=purge)
        folder.forget()
        if purge:
            folder.backend_file.unlink(missing_ok=True)
            purge_postgres(folder)
            for path in (folder.root / "data", folder.logs):
                shutil.rmtree(path, ignore_errors=True)
        return anything
