"""The last step before a server: writes down its own pid and start time, then becomes the server."""

import json
import os
import pwd
import sys
from pathlib import Path

from tools.stack.folder import write_whole
from tools.stack.process import start_mark


def main() -> None:
    """Read one order from standard input and carry it out."""
    order = json.load(sys.stdin)
    record = {**order["record"], "pid": os.getpid(), "mark": start_mark(os.getpid())}
    write_whole(Path(order["path"]), json.dumps(record))
    if order["user"]:  # gives up root for good
        account = pwd.getpwnam(order["user"])
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    os.chdir(order["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - the server itself, no shell


if __name__ == "__main__":
    main()
