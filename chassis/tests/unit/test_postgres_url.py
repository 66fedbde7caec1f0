"""What a PostgreSQL URL means, as libpq reads it."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from notes_chassis.postgres_url import connect_arguments

PLAIN = {"user": "notes", "password": "pw", "host": ["h"], "port": [5432], "database": "db", "server_settings": {}}


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_scheme_in_use_is_taken(scheme: str) -> None:
    assert connect_arguments(f"{scheme}://notes:pw@h/db") == PLAIN


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("notes:p%25w%40d@h/db", {"password": "p%w@d"}),
        ("notes:p%w@d@h/db", {"password": "p%w@d"}),
        ("notes:p/w@h/db", {"password": "p/w"}),
        ("notes:pw@h/db?user=other&password=p%40", {"user": "other", "password": "p@"}),
        ("notes:pw@a:1,b:2,c/db", {"host": ["a", "b", "c"], "port": [1, 2, 5432]}),
        ("notes:pw@[::1]:6000/db", {"host": ["::1"], "port": [6000]}),
        ("notes:pw@/db?host=/run/postgresql", {"host": ["/run/postgresql"]}),
        ("notes:pw@%2Ftmp%2Fpg/db", {"host": ["/tmp/pg"]}),
        ("notes:pw@/db?host=a,b&port=1,2", {"host": ["a", "b"], "port": [1, 2]}),
        ("notes:pw@/db?host=a,b&port=7", {"host": ["a", "b"], "port": [7, 7]}),
        ("notes:pw@h?dbname=db", {}),
        ("notes:pw@h/db?sslmode=require", {"dsn": "postgresql:///?sslmode=require"}),
        ("notes:pw@h/db?ssl=true", {"dsn": "postgresql:///?sslmode=require"}),
        ("notes:pw@h/db?ssl=verify-full", {"dsn": "postgresql:///?sslmode=verify-full"}),
        ("notes:pw@h/db?target_session_attrs=read-write", {"target_session_attrs": "read-write"}),
        ("notes:pw@h/db?connect_timeout=3", {"timeout": 3.0}),
        ("notes:pw@h/db?connect_timeout=0", {}),
        ("notes:pw@h/db?keepalives=1&gssencmode=disable&channel_binding=prefer", {}),
        ("notes:pw@h/db?application_name=x", {"server_settings": {"application_name": "x"}}),
        (
            "notes:pw@h/db?options=-c%20work_mem%3D8MB",
            {"server_settings": {"options": "-c work_mem=8MB"}},
        ),
    ],
)
def test_everything_of_a_url_arrives(url: str, expected: dict[str, Any]) -> None:
    assert connect_arguments(f"postgresql://{url}") == PLAIN | expected


def test_a_file_that_a_url_names_has_to_be_there(tmp_path: Path) -> None:
    (ca := tmp_path / "ca.pem").touch()
    found = connect_arguments(f"postgresql://h/db?sslmode=verify-ca&sslrootcert={ca}")
    assert found["dsn"] == f"postgresql:///?{urlencode({'sslmode': 'verify-ca', 'sslrootcert': ca})}"
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        with pytest.raises(ValueError, match=f"^{name}: there is no such file$"):
            connect_arguments(f"postgresql://h/db?sslmode=verify-ca&{name}={tmp_path}/secret.pem")


def test_what_a_url_does_not_say_is_left_to_the_driver() -> None:
    assert connect_arguments("postgresql://") == {"server_settings": {}}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://notes:secret@h/db",
        "notes:secret@h/db",
        "postgresql://notes:secret@h:port/db",
        "postgresql://notes:secret@h:99999/db",
        "postgresql://notes:secret@h/db?sslmode=secret",
        "postgresql://notes:secret@h/db?target_session_attrs=secret",
        "postgresql://notes:secret@h/db?connect_timeout=secret",
        "postgresql://notes:secret@h/db?secret",
    ],
)
def test_what_is_no_url_is_said_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        connect_arguments(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
