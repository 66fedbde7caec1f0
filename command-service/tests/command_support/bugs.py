"""A bad handler that is mended later: how a good command becomes a dead letter that is worth sending back."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import pytest

from notes_command.pipeline import process as process_batch


@contextmanager
def buggy(monkeypatch: pytest.MonkeyPatch, *commands: Any) -> Iterator[None]:
    """Let the handlers of these command types raise, in this process, within the block."""

    def raising(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    handlers = MappingProxyType({**process_batch.HANDLERS, **dict.fromkeys(commands, raising)})
    with monkeypatch.context() as patch:
        patch.setattr(process_batch, "HANDLERS", handlers)
        yield
