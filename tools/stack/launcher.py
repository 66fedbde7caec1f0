"""The last step before a server: writes down its own pid and start time, then becomes the server.

It imports next to nothing: there is one for each process of a start.
"""

import json
import os
import sys

from tools.stack.birth import start_mark


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


if __name__ == "__main__":
    main()
