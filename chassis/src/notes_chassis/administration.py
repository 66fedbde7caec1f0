"""Who administers: every act is logged, whichever way it came in."""

import argparse
import os
import pwd
from collections.abc import Sequence
from typing import Any, Final

import structlog

log = structlog.get_logger()

IDS_LOGGED: Final = 20
"""Ids that the log names of one act; `count` says how many there are."""
_LOOKS: Final = frozenset({"list", "gaps", "builds", "verify"})
"""Actions and commands that only look."""


def log_act(way: str, who: str, act: str, result: object, ids: Sequence[str] = (), **what: Any) -> None:
    """Log an act: who did what to what, and what came of it. `way`: `http` or `command line`."""
    if ids:
        what |= {"ids": list(ids[:IDS_LOGGED]), "count": len(ids)}
    log.info("administrative act", way=way, who=who, act=act, result=result, **what)


def log_command(arguments: argparse.Namespace, code: int) -> None:
    """Log a command that was given on the command line by this process's user, unless it only looked."""
    given = {name: value for name, value in vars(arguments).items() if value not in (None, False, [])}
    act = [given.pop("command"), *([given.pop("action")] if "action" in given else [])]
    only_looked = act[-1] in _LOOKS or (act == ["outbox"] and not given.keys() & {"unpark", "drop"})
    if not only_looked:
        ids = [str(one) for one in given.pop("ids", ())]
        what = {name: value if isinstance(value, bool | int) else str(value) for name, value in given.items()}
        result = "done" if code == 0 else f"exit code {code}"
        log_act("command line", _user(), " ".join(act), result, ids, **what)


def _user() -> str:
    """Return the process's user. The environment, which anybody may set, is not asked."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        return f"uid {os.getuid()}"
