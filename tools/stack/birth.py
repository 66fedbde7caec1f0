"""When a process was started, as the system says it: what tells it from a later one with the same pid."""


def start_mark(pid: int) -> str | None:
    """Return that time, None if the process has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:  # noqa: PTH123 - see launcher.py
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
