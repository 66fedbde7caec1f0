"""Trace context as the W3C has it; its own test suite names most of these."""

import pytest

from notes_contracts.cloudevents import valid_traceparent, valid_tracestate

TRACE, SPAN = "12345678901234567890123456789012", "1234567890123456"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize("text", [VALID, f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-ff", f"00-{'0' * 31}1-{SPAN}-09"])
def test_a_valid_parent_is_passed_on_as_it_is(text: str) -> None:
    assert valid_traceparent(text) == text


@pytest.mark.parametrize("later", [f"cc-{TRACE}-{SPAN}-03", f"01-{TRACE}-{SPAN}-01-what-the-future-will-be-like"])
def test_of_a_later_version_only_what_is_known_is_passed_on(later: str) -> None:
    assert valid_traceparent(later) == VALID


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "t", " ", VALID.upper().replace("1", "A"), f" {VALID}", f"{VALID}\n", f"{VALID}-", f"{VALID}-x"),
        *(f"ff-{TRACE}-{SPAN}-01", f"0-{TRACE}-{SPAN}-01", f"0x-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01.x"),
        *(f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE[1:]}-{SPAN}-01", f"00-{TRACE}-{SPAN}"),
        *(f"00-{TRACE}-{SPAN}-1", f"00-{TRACE}-{SPAN}-.1", f"00_{TRACE}_{SPAN}_01", f"00-{TRACE}-{'٣' * 16}-01"),
        *("00-" + "1" * 100_000, f"cc-{TRACE}-{SPAN}-01-" + "x" * 100_000),
    ],
)
def test_anything_else_is_no_parent(text: str | None) -> None:
    assert valid_traceparent(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("foo=1", "foo=1,bar=2", "foo=1 , \tbar=2", "foo=1,,bar=2,", "t@sys=1", "0t-_*/@a-_*/=!~", "a= b"),
        *("a" * 256 + "=" + "b" * 256, ",".join(f"k{n}=v" for n in range(32))),
    ],
)
def test_a_valid_state_is_passed_on_as_it_is(text: str) -> None:
    assert valid_tracestate(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            None,
            "",
            ",",
            "foo",
            "foo=",
            "=1",
            "Foo=1",
            "foo=1=2",
            "foo=1,foo=1",
            "foo=1,bar",
            "foo =1",
            "foo=ü",
            "f\0=1",
        ),
        *("foo@=1", "@foo=1", "foo@bar@baz=1", "a" * 257 + "=1", "a=" + "b" * 257, "foo=1\n", "foo=a\tb", "foo=\x7f"),
        *(",".join(f"k{n}=v" for n in range(33)), "a=1," * 100_000),
    ],
)
def test_anything_else_is_no_state(text: str | None) -> None:
    assert valid_tracestate(text) is None
