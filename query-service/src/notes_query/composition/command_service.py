"""The client of command-service."""

import httpx

MAX_CONNECTIONS = 50


def make_client(url: str, timeout_s: float) -> httpx.AsyncClient:
    """Return a client of the service at `url` that gives up on every step after `timeout_s`; close it at the end.

    It goes straight there: no proxy of the environment, no redirect.
    """
    limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
    return httpx.AsyncClient(base_url=url, timeout=timeout_s, limits=limits, trust_env=False)
