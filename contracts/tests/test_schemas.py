"""The committed JSON Schemas: what an upstream that is not Python builds on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notes_contracts import COMMANDS, EVENTS, OUTCOMES
from notes_contracts.fields import AUTHOR_MAX, BODY_MAX, TITLE_MAX
from notes_contracts.ids import UUID_PATTERN
from notes_contracts.messages import MESSAGES
from notes_contracts.schemas import main, schemas

FOLDER = Path(__file__).parents[1] / "schemas"
# Of draft 2020-12, what our models need. Another keyword may be fine, but has to be looked at first: `nullable`,
# `example` or `discriminator` are OpenAPI's, and a validator passes over what it does not know.
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "default", "format"}
ASSERTIONS = {
    *("$ref", "type", "enum", "anyOf", "properties", "required", "additionalProperties", "items"),
    *("minLength", "maxLength", "pattern", "minimum", "maximum", "maxItems"),
}
every_type = pytest.mark.parametrize("name", MESSAGES)


def committed(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def subschemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for keyword in ("$defs", "properties"):
        for below in schema.get(keyword, {}).values():
            yield from subschemas(below)
    for below in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        yield from subschemas(below)


def test_the_committed_schemas_are_those_of_the_models(tmp_path: Path) -> None:
    main(tmp_path / "schemas")
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "schemas").iterdir()}
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert found == written, "run: python -m notes_contracts.schemas contracts/schemas"
    assert written == schemas()


@every_type
def test_a_schema_says_what_it_is(name: str) -> None:
    schema = committed(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:{name.replace('.', ':')}"
    assert schema["type"] == "object"


@every_type
def test_a_schema_uses_known_keywords_and_its_references_lead_somewhere(name: str) -> None:
    schema = committed(name)
    for part in subschemas(schema):
        assert set(part) <= ANNOTATIONS | ASSERTIONS
        if "$ref" in part:
            assert part["$ref"].removeprefix("#/$defs/") in schema["$defs"]


@every_type
def test_a_pattern_means_the_same_in_every_language(name: str) -> None:
    for pattern in (part["pattern"] for part in subschemas(committed(name)) if "pattern" in part):
        re.compile(pattern)
        # \d, \w, \s and \b differ between languages, (?… and \A, \Z, \p are not everywhere.
        assert re.fullmatch(r"\^(?:[^\\(]|\\x00|\\\.)*\$", pattern), pattern


@every_type
def test_every_field_is_described_and_the_required_ones_are_named(name: str) -> None:
    fields = MESSAGES[name].model_fields
    schema = committed(name)
    assert set(schema["properties"]) == set(fields)
    assert set(schema["required"]) == {field for field, info in fields.items() if info.is_required()}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_field_nobody_knows_is_refused_in_a_command(name: str) -> None:
    assert committed(name)["additionalProperties"] is False


@pytest.mark.parametrize("name", [*EVENTS, *OUTCOMES])
def test_a_field_nobody_knows_is_let_through_by_readers(name: str) -> None:
    assert all(part.get("additionalProperties", True) is True for part in subschemas(committed(name)))


@every_type
def test_ids_have_the_pattern_of_ids(name: str) -> None:
    ids = {field: value for field, value in committed(name)["properties"].items() if field.endswith("_id")}
    assert ids
    for value in ids.values():
        patterns = [part["pattern"] for part in subschemas(value) if part.get("type") == "string"]
        assert patterns == [UUID_PATTERN]


@pytest.mark.parametrize("name", COMMANDS)
def test_text_has_its_limits(name: str) -> None:
    limits = {"title": (1, TITLE_MAX), "body": (None, BODY_MAX), "author": (1, AUTHOR_MAX)}
    properties = committed(name)["properties"]
    for field in limits.keys() & properties.keys():
        (text,) = [part for part in subschemas(properties[field]) if part.get("type") == "string"]
        assert (text.get("minLength"), text["maxLength"]) == limits[field]
        assert re.search(text["pattern"], "any\ntext 🚲")
        assert not re.search(text["pattern"], "with\0nul")
