"""The last step before a server: writes down its own pid and start time, then becomes the server.

It imports next to nothing: there is one for each process of a start. The time when a process was started, as the system
says it, tells it from a later one with the same pid.
"""

import json
import os
import sys


def main() -> None:
    """Read one order from standard input and carry it out."""
    order = json.load(sys.stdin)
    path = order["path"]
    with open(f"{path}.{os.getpid()}.new", "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib is slow to import
        json.dump({**order["record"], "pid": os.getpid(), "mark": start_mark(os.getpid())}, file)
    os.replace(file.name, path)  # noqa: PTH105 - at once, so that nobody meets half of it
    if order["user"]:  # gives up root for good
        import pwd  # noqa: PLC0415

        account = pwd.getpwnam(order["user"])
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    os.chdir(order["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - the server itself, no shell


def start_mark(pid: int) -> str | None:
    """Return when a process was started, None if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:  # noqa: PTH123
            state, *fields = stat.read().rpartition(")")[2].split()
    except ProcessLookupError:
        return None
    except FileNotFoundError:
        return _elsewhere(pid)
    # A zombie whose other threads have not ended yet still holds its port and its files.
    if state == "Z" and int(fields[16]) <= 1:
        return None
    return fields[18]  # the time since the boot, which no change of the clock moves


def _elsewhere(pid: int) -> str | None:
    """Ask psutil: there is no such process, or the system has no /proc."""
    import psutil  # noqa: PLC0415 - half of the time that the launcher takes

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1:
            return None
        return str(process.create_time())
    except psutil.NoSuchProcess:
        return None


if __name__ == "__main__":
    main()
