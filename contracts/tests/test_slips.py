"""A sender who nearly wrote an attribute's name is told so."""

import json

import pytest

from notes_contracts.slips import missing

ENVELOPED = (("content-type", b"application/cloudevents+json"),)


@pytest.mark.parametrize("attribute", ["id", "type", "sequence"])
@pytest.mark.parametrize(
    "pattern",
    [
        "ce-{}",
        "CE-{}",
        "Ce-{}",
        "{}",
        "ce.{}",
        "ce:{}",
        "ce{}",
        " ce_{} ",
        "X-CE-{}",
        "cloudEvents:{}",
        "cloudevents_{}",
    ],
)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_a_header_with_nearly_the_name_is_named(attribute: str, pattern: str, case: type[str]) -> None:
    name = pattern.format(case(attribute))
    said = missing(attribute, (("x", b""), (name, b"marker")), b"{}")
    assert said == f"ce_{attribute} is missing; there is {name!r}, which has to be called 'ce_{attribute}'"


@pytest.mark.parametrize("name", ["", "x", "ce_idx", "video", "ce_time", "ce-subject", "id" * 100, "ïd", "ce\0id"])
def test_any_other_header_is_not(name: str) -> None:
    assert missing("id", ((name, b""),), b"{}") == "ce_id is missing"


@pytest.mark.parametrize("raw", [None, b"\xff", b"a\0"])
def test_a_header_that_counts_as_absent_is_said_to_be_there(raw: bytes | None) -> None:
    assert missing("id", (("ce_id", raw), ("ce-id", b"x")), b"{}") == "ce_id is null, holds NUL or is not UTF-8"


@pytest.mark.parametrize("name", ["Content-Type", "content_type", "contentType", "ce_contenttype", "CONTENT-TYPE"])
def test_an_envelope_that_is_not_said_to_be_one_is_told_so(name: str) -> None:
    assert "has to be called 'content-type'" in missing("id", ((name, b"application/cloudevents+json"),), b"{}")
    assert "looks like an envelope" in missing("id", (), json.dumps({"specversion": "1.0"}).encode())


@pytest.mark.parametrize("name", ["ce_id", "ID", "ce-id", "ceId"])
def test_an_envelope_has_its_slips_too(name: str) -> None:
    said = missing("id", ENVELOPED, json.dumps({name: "x", "type": "t"}).encode())
    assert said == f"id is missing in the envelope; there is {name!r}, which has to be called 'id'"


@pytest.mark.parametrize("value", [b"{}", b'{"id": 3.0}'])
def test_an_envelope_without_one_is_told_what_is_missing(value: bytes | None) -> None:
    assert missing("type", ENVELOPED, value) == "type is missing in the envelope"


@pytest.mark.parametrize("value", [None, b"{", b"[]", b"nothing", b'{"id":"x","data":NaN}'])
def test_an_envelope_that_is_none_is_told_so(value: bytes | None) -> None:
    said = missing("id", ENVELOPED, value)
    assert said.startswith("id is missing: ")
    assert said.endswith("the value is not a JSON object")


def test_an_attribute_that_counts_as_absent_is_said_to_be_there() -> None:
    assert missing("id", ENVELOPED, b'{"id": 3.0}') == "id in the envelope is not a text, or holds NUL"


def test_only_a_thousand_headers_are_looked_through() -> None:
    headers = (*((f"h{n}", b"") for n in range(1_000)), ("ce-id", b""))
    assert missing("id", headers, None) == "ce_id is missing"
