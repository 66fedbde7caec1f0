"""Brokers' addresses are split in one place, and wrong ones are one sentence."""

import pytest

from notes_chassis.kafka.addresses import split


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("a:1", ["a:1"]),
        ("a:1,b:2", ["a:1", "b:2"]),
        (" a.example:9092 ,\tb:2 ", ["a.example:9092", "b:2"]),
        ("[::1]:9092,127.0.0.1:1", ["[::1]:9092", "127.0.0.1:1"]),
    ],
)
def test_addresses_are_separated_by_commas(text: str, addresses: list[str]) -> None:
    assert split(text) == addresses


@pytest.mark.parametrize(
    "text", ["", "a", "a:", ":1", "a:1,", ",a:1", "a:x", "a:0", "a:65536", "::1:9", "k://a:1", "a b:1"]
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        split(text)
