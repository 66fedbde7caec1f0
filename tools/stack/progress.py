"""One line per long step: what, and how many seconds."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Steps:
    """Shows steps that may run at the same time; silent if asked, a spinner each on a terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Write to standard error, so that standard output stays free for results."""
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        self._lock = threading.Lock()
        self._live: Progress | None = None
        if not quiet and sys.stderr.isatty():
            columns = SpinnerColumn(finished_text="·"), TextColumn("{task.description}"), TimeElapsedColumn()
            self._live = Progress(*columns, console=self._console, transient=True)

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the finished lines on the screen."""
        if self._live:
            self._live.stop()

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show the text while it runs, and the seconds when it is done; a step that fails shows none."""
        began = time.monotonic()
        task: TaskID | None = self._live.add_task(text, total=None) if self._live else None
        try:
            yield
        finally:
            if self._live and task is not None:
                self._live.remove_task(task)
        self.say(f"  {text:<42} {time.monotonic() - began:6.1f} s")

    def say(self, text: str) -> None:
        """Print a line of its own."""
        if not self._quiet:
            with self._lock:
                self._console.print(text, markup=False, soft_wrap=True)
