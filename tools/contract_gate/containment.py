"""Whether a reader accepts whatever a writer may write, by the JSON Schemas of both: jsonschema-rs decides.

Formats refuse nothing. What the library cannot decide counts as a break.
"""

import json
from collections.abc import Iterator
from typing import Any

from jsonschema_rs import CanonicalSchema, canonicalize, dereference
from jsonschema_rs.canonical import CanonicalizationError, Containment, Satisfiability

Schema = dict[str, Any]


def whole(document: Schema) -> dict[str, Any]:
    """Return a schema, or a document with schemas, with what each `$ref` names in its place."""
    found: dict[str, Any] = dereference({key: value for key, value in document.items() if key != "$id"})
    return found


def complaints(writer: Schema, reader: Schema) -> list[str]:
    """Return a sentence for each innermost place at which the reader may refuse what the writer writes.

    A writer writes no property that its schema does not name.
    """
    return list(_complaints(_closed(writer), reader, ""))


def _complaints(writer: Schema, reader: Schema, place: str) -> Iterator[str]:
    more = _difference(canonicalize(writer), canonicalize(reader))
    if more is None:
        return
    (written, always), (read, needed) = properties_of(writer), properties_of(reader)
    found = [
        f"{_inside(place, name)}: it may be absent from what is written, and is required by what reads it"
        for name in sorted(needed - always)
    ]
    for name, schema in written.items():
        if name in read:
            found += _complaints(schema, read[name], _inside(place, name))
        elif reader.get("additionalProperties") is False:
            found.append(f"{_inside(place, name)}: it may be written, and is refused as unknown")
    if "items" in writer and "items" in reader:
        found += _complaints(writer["items"], reader["items"], _inside(place, "[]"))
    yield from found or [f"{place or 'it'}: {more} may be written, and is not read"]


def _difference(writer: CanonicalSchema, reader: CanonicalSchema) -> str | None:
    """Return what only the writer may write, as a schema; None where there is nothing."""
    if reader.covers(writer) is Containment.YES:
        return None
    try:
        more = writer.subtract(reader)
    except CanonicalizationError:
        more = writer
    if more.satisfiability() is Satisfiability.NO:
        return None
    said: Any = more.to_json_schema()
    return json.dumps({key: value for key, value in said.items() if key != "$schema"}, ensure_ascii=False)


def properties_of(schema: Schema) -> tuple[dict[str, Any], set[str]]:
    """Return an object's properties, and the names of those that are required; its `allOf` counts."""
    found, required = dict(schema.get("properties", {})), set(schema.get("required", []))
    for properties, names in map(properties_of, schema.get("allOf", [])):
        found |= {name: {"allOf": [found[name], one]} if name in found else one for name, one in properties.items()}
        required |= names
    return found, required


def _closed(schema: Any, *, is_part: bool = False) -> Any:
    if isinstance(schema, list):
        return [_closed(one, is_part=is_part) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _closed(value, is_part=key == "allOf") for key, value in schema.items()}
    names = [] if is_part or "additionalProperties" in schema else sorted(properties_of(schema)[0])
    return found | {"propertyNames": {"enum": names}} if names else found


def changed_defaults(old: Schema, new: Schema, place: str = "") -> Iterator[str]:
    """Give a sentence for each default that differs: what was left out would then mean something else."""
    if "default" in old and old["default"] != new.get("default", ...):
        means = f"means {new['default']!r}" if "default" in new else "has no default"
        yield f"{place or 'it'}: left out it meant {old['default']!r}, and now {means}"
    for name in old.get("properties", {}).keys() & new.get("properties", {}).keys():
        yield from changed_defaults(old["properties"][name], new["properties"][name], _inside(place, name))


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
