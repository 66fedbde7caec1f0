"""The header `Projection-Lag`: by how many seconds what is shown may be behind."""

from collections.abc import Callable

LagSeconds = Callable[[], float | None]
"""Gives the present lag of a lane in seconds, null while it is not known; asked on every request, so it never waits."""


def lag_header(lag: LagSeconds) -> dict[str, str]:
    """Return the header, none if the lag is not known."""
    seconds = lag()
    return {} if seconds is None else {"Projection-Lag": f"{max(seconds, 0.0):.1f}"}
