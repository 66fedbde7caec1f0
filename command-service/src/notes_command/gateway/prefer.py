"""Waiting times that clients ask for."""

import math
import re

from notes_command.gateway.problems import invalid_field

WAIT_CAP_S = 30.0
_quoted = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)').sub
_wait = re.compile(r"(?:^|,)\s*wait\s*=\s*([0-9]+)\s*(?:[,;]|$)", re.IGNORECASE).search


def preferred_wait(header: str) -> float | None:
    """Return the seconds of `Prefer: wait=N` (RFC 7240), capped; None without it. What is not understood is ignored."""
    # What stands in quotes and is no number may look like another preference.
    found = _wait(_quoted(lambda quoted: quoted[1] if quoted[1].isdecimal() else "-", header))
    return None if found is None else min(float(found[1]), WAIT_CAP_S)


def wait_parameter(value: str | None) -> float:
    """Return the seconds of `?wait=`, capped; 0 without it. Raises Problem `invalid`."""
    if value is None:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise invalid_field("wait", "a number of seconds, 0 or more")
    return min(seconds, WAIT_CAP_S)
