"""Who asked: bounded and on one line, or absent."""

import json

import pytest

from notes_contracts import read
from notes_contracts.authcontext import valid_auth
from notes_contracts.cloudevents import STRUCTURED, headers_of


@pytest.mark.parametrize("text", ["a", "x" * 256, "auth0|5f7c8ec7", "Zoë Müller", "日本", "a b", "https://issuer/ä"])
def test_a_text_on_one_line_is_passed_on(text: str) -> None:
    assert valid_auth("user", text) == ("user", text)
    found = read(headers_of(id="i", type="t", authtype="user", authid=text), b"{}")
    assert (found.authtype, found.authid) == ("user", text)


@pytest.mark.parametrize(
    "text", ["", "x" * 257, "a\0", "a\nb", "a\rb", "\x1b[2J", "a\x7f", "a\x85b", "a\u2028b", "\ud800"]
)
def test_anything_else_is_absent(text: str) -> None:
    assert valid_auth("user", text) == ("user", None)


@pytest.mark.parametrize("text", ["", "User", "a b", "x" * 33, "user\n", "ünknown", "1"])
def test_a_kind_is_a_word(text: str) -> None:
    assert valid_auth(text, "a") == (None, "a")


@pytest.mark.parametrize("raw", [None, b"\xff", b"a\0", b"a\nb", b"x" * 2_000_000])
def test_headers_that_cannot_be_read_are_absent(raw: bytes | None) -> None:
    found = read((("ce_id", b"i"), ("ce_authid", raw), ("ce_authtype", raw)), b"{}")
    assert (found.authtype, found.authid) == (None, None)


def test_structured_mode_has_it_in_its_envelope() -> None:
    for value, expected in (("anna", "anna"), ("a\n", None), (["a"], None), (7, "7"), ({}, None)):
        envelope = json.dumps({"id": "i", "type": "t", "authid": value, "authtype": "user"}).encode()
        found = read((("content-type", STRUCTURED.encode()),), envelope)
        assert (found.authtype, found.authid) == ("user", expected)
