"""One line per long step: what, and how many seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Steps:
    """Shows steps that may run at the same time; silent if asked, a spinner each on a terminal.

    It writes to standard error, so that standard output stays free for results.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        columns = SpinnerColumn(finished_text="·"), TextColumn("{task.description}"), TimeElapsedColumn()
        drawn = not quiet and sys.stderr.isatty()
        self._live = Progress(*columns, console=self._console, transient=True, disable=not drawn)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show the text while it runs, and the seconds when it is done; a step that fails shows none."""
        began, task = time.monotonic(), self._live.add_task(text, total=None)
        try:
            yield
        finally:
            self._live.remove_task(task)
        self.say(f"  {text:<42} {time.monotonic() - began:6.1f} s")

    def say(self, text: str) -> None:
        """Print a line of its own."""
        if not self._quiet:
            self._console.print(text, markup=False, soft_wrap=True)
