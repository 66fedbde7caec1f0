"""Arguments for asyncpg from a PostgreSQL URL, as libpq reads it.

SQLAlchemy passes `sslmode` on as a keyword that asyncpg does not know, and refuses several hosts. asyncpg takes `ssl`
and `connect_timeout` for settings of the server, and the first `@` for the end of the password. So the URL is read
here, once, for every connection of a process.
"""

from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode

SCHEMES: Final = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
_TLS: Final = frozenset(
    {
        "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation",
        "ssl_min_protocol_version", "ssl_max_protocol_version",
    }
)  # fmt: skip
_FILES: Final = frozenset({"sslcert", "sslkey", "sslrootcert", "sslcrl"})
_MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_TARGETS: Final = frozenset({"any", "primary", "standby", "read-write", "read-only", "prefer-standby"})
# Parameters of libpq that the server does not know and asyncpg has no use for.
_UNUSED: Final = frozenset(
    {
        "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "gssencmode", "channel_binding",
        "sslcompression", "sslsni", "load_balance_hosts", "client_encoding", "prepared_statement_cache_size",
    }
)  # fmt: skip
_SSL: Final = {"true": "require", "1": "require", "false": "disable", "0": "disable"}


def connect_arguments(url: str) -> dict[str, Any]:
    """Return the arguments of `asyncpg.connect`. Raises ValueError with a text that quotes nothing of the URL."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ValueError("not a PostgreSQL URL: postgresql://user:password@host:port/database is expected")
    base, _, given = rest.partition("?")
    user, _, address = base.rpartition("@")  # the last one: a password may hold one, and a `/`
    hosts, _, database = address.partition("/")
    try:
        query: dict[str, Any] = dict(parse_qsl(given, keep_blank_values=True, strict_parsing=bool(given)))
    except ValueError:
        raise ValueError("not a PostgreSQL URL: the part behind the ? cannot be read") from None
    if "ssl" in query:
        given = query.pop("ssl")
        query.setdefault("sslmode", _SSL.get(given.lower(), given))
    for key, known in (("sslmode", _MODES), ("target_session_attrs", _TARGETS)):
        if key in query and query[key] not in known:
            raise ValueError(f"{key} must be one of {', '.join(sorted(known))}")
    name, _, password = user.partition(":")
    found: dict[str, Any] = {
        "user": query.pop("user", None) or unquote(name) or None,
        "password": query.pop("password", None) or unquote(password) or None,
        "database": query.pop("dbname", None) or unquote(database) or None,
        "passfile": query.pop("passfile", None),
        "target_session_attrs": query.pop("target_session_attrs", None),
        **_addresses(query.pop("host", None) or hosts, query.pop("port", None)),
        **_timeout(query.pop("connect_timeout", None)),
    }
    for key in _FILES & query.keys():
        if not Path(query[key]).is_file():  # else connecting is tried again, as if the server were away
            raise ValueError(f"{key}: there is no such file")
    if tls := {key: query.pop(key) for key in list(query) if key in _TLS}:
        found["dsn"] = f"postgresql:///?{urlencode(tls)}"
    settings = {key: value for key, value in query.items() if key not in _UNUSED}
    if "fallback_application_name" in settings:
        settings.setdefault("application_name", settings.pop("fallback_application_name"))
    return {key: value for key, value in found.items() if value is not None} | {"server_settings": settings}


def _timeout(given: str | None) -> dict[str, float]:
    if given is None:
        return {}
    if not given.isdecimal():
        raise ValueError("connect_timeout must be a number of seconds")
    return {"timeout": float(given)} if int(given) else {}  # as in libpq, 0 is no timeout


def _addresses(hosts: str, ports: str | None) -> dict[str, Any]:
    """Return `host` and `port`, lists of the same length; nothing if the URL names no host."""
    found: list[tuple[str, int]] = []
    default = (ports or "").split(",")
    for number, host in enumerate(hosts.split(",") if hosts else []):
        name, port = unquote(host), default[min(number, len(default) - 1)]
        if name.startswith("["):  # IPv6
            name, _, behind = name[1:].partition("]")
            port = behind.removeprefix(":") or port
        elif not name.startswith("/") and ":" in name:  # a name with a slash is the folder of a socket
            name, _, port = name.rpartition(":")
        if port and not (port.isdecimal() and 0 < int(port) < 2**16):
            raise ValueError("a port is not a number from 1 to 65535")
        found.append((name or "localhost", int(port or 5432)))
    return {"host": [name for name, _ in found], "port": [port for _, port in found]} if found else {}
