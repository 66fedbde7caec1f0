"""Shows how far a run is: a bar on a terminal, now and then a plain line elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 5.0


class Display(Protocol):
    """What a run tells while it goes on."""

    def advance(self) -> None:
        """One more file is done."""
        ...


class PlainLines:
    """A line every few seconds, so that a log shows the run is alive and stays short."""

    def __init__(self, total: int) -> None:
        """Count up to `total` files."""
        self._total = total
        self._done = 0
        self._next = monotonic() + LINE_EVERY_S

    def advance(self) -> None:
        """See `Display`."""
        self._done += 1
        if monotonic() >= self._next:
            print(f"{self._done:,} of {self._total:,} files", flush=True)
            self._next = monotonic() + LINE_EVERY_S


class Bar:
    """A progress bar."""

    def __init__(self, progress: Progress, total: int) -> None:
        """Add a bar for `total` files to `progress`."""
        self._progress = progress
        self._task = progress.add_task("importing", total=total)

    def advance(self) -> None:
        """See `Display`."""
        self._progress.advance(self._task)


@contextmanager
def shown(total: int) -> Iterator[Display]:
    """Yield the display that suits standard output."""
    if not sys.stdout.isatty():
        yield PlainLines(total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        yield Bar(progress, total)
