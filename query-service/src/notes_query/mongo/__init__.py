"""MongoDB: the connection, and how the driver is asked."""

import os
from typing import Final

THREADS: Final = 64
"""Threads of Motor, which has five for each core otherwise. Each operation under way holds one.

While MongoDB reads but does not write, all writers of a process (about eight for each build that is fed, and a few
periodic tasks) hold theirs until they give up. Readers and `/readyz` need some beside them. Unused ones are not made.
"""

os.environ.setdefault("MOTOR_MAX_WORKERS", str(THREADS))  # read by Motor when it is imported
