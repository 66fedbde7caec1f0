"""Which lines of those that a test has captured a service would write."""

import logging
from collections.abc import Iterable, MutableMapping
from typing import Any

from notes_chassis.logs import Repeats


def written(captured: Iterable[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    repeats = Repeats()
    return [line for line in captured if repeats.filter(logging.makeLogRecord({"name": "ours", "msg": line}))]
