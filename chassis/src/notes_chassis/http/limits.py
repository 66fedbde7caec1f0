"""The limits of an HTTP service on requests and connections."""

from typing import Annotated, Final, Self

from prometheus_client import Counter
from pydantic import Field, model_validator

from notes_chassis.settings import Seconds, ServiceSettings

HEADER_BYTES: Final = 32 * 1024
BODY_BYTES: Final = 2 * 1024 * 1024
ARRIVE_S: Final = 30.0
"""Seconds from the first byte of a request to its last one."""
PIPELINED: Final = 32
"""Requests that a client may send on one connection before the first of them is answered. Not a setting."""
ERRORS: Final = 20
"""Entries of `errors` in a problem document. Not a setting."""
PROBLEM_BYTES: Final = 16_000
"""Size of a problem document. Not a setting."""

REFUSED = Counter("notes_http_refused_total", "Requests and connections refused or ended, by limit", ["limit"])


class HttpLimits(ServiceSettings):
    """The limits, as the settings `NOTES_HTTP_<NAME>`."""

    http_connections: Annotated[int, Field(ge=1)] = 4_000
    """Open connections. At the limit, those without a complete request are closed for new ones, the oldest first."""
    http_waiting: Annotated[int, Field(ge=1)] = 1_000
    """Requests that wait at the same time; together with all streams fewer than the connections."""
    http_header_bytes: Annotated[int, Field(ge=1_024)] = HEADER_BYTES
    http_target_bytes: Annotated[int, Field(ge=1_024)] = 16 * 1024
    """Path and query."""
    http_body_bytes: Annotated[int, Field(ge=1_500_000)] = BODY_BYTES
    """At least the largest legal command: 100,000 characters, each escaped as twelve bytes."""
    http_bodies_bytes: Annotated[int, Field(ge=1_500_000)] = 16 * BODY_BYTES
    """All bodies of requests that are not answered yet."""
    http_head_s: Seconds = 10.0
    """Seconds from the first byte of a request, or the begin of a connection, to the end of the headers."""
    http_arrive_s: Seconds = ARRIVE_S
    http_keep_alive_s: Seconds = 10.0
    """Seconds between two requests on one connection."""
    http_take_s: Seconds = 60.0
    """Seconds for a client to take what is sent to it."""
    http_untaken_bytes: Annotated[int, Field(ge=1_500_000)] = 64 * 1024 * 1024
    """Bytes of answers that clients have not taken yet, of all connections together."""

    @model_validator(mode="after")
    def _a_body_fits(self) -> Self:
        if self.http_bodies_bytes < self.http_body_bytes:  # 503 would say that it fits later
            raise ValueError(
                "NOTES_HTTP_BODIES_BYTES must be at least NOTES_HTTP_BODY_BYTES, else a large body never fits"
            )
        return self
