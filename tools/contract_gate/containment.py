"""Whether a reader accepts whatever a writer may write, by the JSON Schemas of both.

The schemas are those that pydantic makes. A writer writes no property that its schema does not name. A keyword that
is not known here must be the same on both sides.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_NOTES: Final = frozenset(
    (
        *("title", "description", "example", "examples", "default", "deprecated", "readOnly", "writeOnly"),
        *("$schema", "$id", "$defs", "$comment", "format", "contentMediaType", "contentSchema", "type"),
    )
)
"""Keywords that refuse nothing, and the type, which is looked at first."""
_AT_MOST: Final = {"maxLength": "characters", "maxItems": "items", "maximum": "as the largest"}
_AT_LEAST: Final = {"minLength": "characters", "minItems": "items", "minimum": "as the smallest"}
_SPECIAL: Final = frozenset(
    ["enum", "const", "pattern", "properties", "required", "additionalProperties", "items", "prefixItems"]
)


def complaints(writer: Schema, reader: Schema, roots: tuple[Schema, Schema], place: str = "") -> list[str]:
    """Return a sentence for each reason for which the reader may refuse what the writer writes.

    `roots` are the documents in which `$ref` of writer and reader are found.
    """
    readers = list(_alternatives(reader, roots[1]))
    found: list[str] = []
    for written in _alternatives(writer, roots[0]):
        tries = [_of_one(written, one, roots, place) for one in _nearest(written, readers)]
        if tries and all(tries):
            found += [sentence for sentence in tries[0] if sentence not in found]
    return found


def changed_defaults(writer: Schema, reader: Schema, roots: tuple[Schema, Schema], place: str = "") -> list[str]:
    """Return a sentence for each default that differs: what was left out would then mean something else."""
    found = []
    old, new = resolved(writer, roots[0]), resolved(reader, roots[1])
    if "default" in old and "default" in new and old["default"] != new["default"]:
        found.append(f"{place or 'it'}: left out it meant {old['default']!r}, and now means {new['default']!r}")
    if "default" in old and "default" not in new:
        found.append(f"{place or 'it'}: left out it meant {old['default']!r}, and now has no default")
    for name in old.get("properties", {}).keys() & new.get("properties", {}).keys():
        found += changed_defaults(old["properties"][name], new["properties"][name], roots, _inside(place, name))
    return found


def resolved(schema: Schema, root: Schema) -> dict[str, Any]:
    """Return the schema with `$ref` and `allOf` of its first level put in."""
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
    parts = [*([_pointed(schema["$ref"], root)] if "$ref" in schema else []), *schema.get("allOf", [])]
    for part in (resolved(part, root) for part in parts):
        properties = {**part.get("properties", {}), **merged.get("properties", {})}
        for name in part.get("properties", {}).keys() & merged.get("properties", {}).keys():
            properties[name] = {"allOf": [part["properties"][name], merged["properties"][name]]}
        required = [*part.get("required", []), *merged.get("required", [])]
        merged = {**part, **merged}
        if properties:
            merged |= {"properties": properties, "required": required}
    return merged


def _pointed(reference: str, root: Schema) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found  # type: ignore[no-any-return]


def _alternatives(schema: Schema, root: Schema) -> Iterator[dict[str, Any]]:
    one = resolved(schema, root)
    choices = [*one.pop("anyOf", []), *one.pop("oneOf", [])]
    if choices:
        for choice in choices:
            yield from _alternatives(choice, root)
    elif isinstance(one.get("type"), list):
        for kind in one["type"]:
            yield {**one, "type": kind}
    else:
        yield one


def _nearest(written: Schema, readers: Iterable[Schema]) -> list[Schema]:
    """Return the readers' alternatives, those of the same type first: their complaints say most."""
    return sorted(readers, key=lambda reader: reader.get("type") != written.get("type"))


def _of_one(writer: Schema, reader: Schema, roots: tuple[Schema, Schema], place: str) -> list[str]:
    here = place or "it"
    kinds = writer.get("type"), reader.get("type")
    if kinds[1] not in {None, kinds[0]} and kinds != ("integer", "number"):
        return [f"{here}: {kinds[0] or 'anything'} may be written, and only {kinds[1]} is read"]
    found = [*_values(writer, reader, here), *_bounds(writer, reader, here)]
    found += _array(writer, reader, roots, place)
    if kinds[0] == "object":
        found += _object(writer, reader, roots, place)
    known = _NOTES | _SPECIAL | _AT_MOST.keys() | _AT_LEAST.keys()
    for keyword in sorted(reader.keys() - known):
        if writer.get(keyword) != reader[keyword]:
            found.append(f"{here}: {keyword} is another, and the gate does not know what that means")
    return found


def _values(writer: Schema, reader: Schema, here: str) -> Iterator[str]:
    written, read = _listed(writer), _listed(reader)
    if read is not None:
        if written is None:
            yield f"{here}: anything may be written, and only {_named(read)} is read"
        elif more := [value for value in written if value not in read]:
            yield f"{here}: {_named(more)} may be written, and is not read"
    pattern = reader.get("pattern")
    if pattern is None or pattern == writer.get("pattern"):
        return
    if written is None or not all(isinstance(value, str) and re.search(pattern, value) for value in written):
        yield f"{here}: what is read must match {pattern}, and what is written need not"


def _listed(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _named(values: Iterable[Any]) -> str:
    return ", ".join(repr(value) for value in values)


def _bounds(writer: Schema, reader: Schema, here: str) -> Iterator[str]:
    for keyword, what in _AT_MOST.items():
        most = writer.get(keyword, float("inf"))
        if keyword in reader and most > reader[keyword]:
            yield f"{here}: {_amount(most)} {what} may be written, and at most {reader[keyword]} read"
    for keyword, what in _AT_LEAST.items():
        least = writer.get(keyword, 0 if keyword != "minimum" else float("-inf"))
        if keyword in reader and least < reader[keyword]:
            yield f"{here}: {_amount(least)} {what} may be written, and no less than {reader[keyword]} read"


def _amount(number: float) -> str:
    return "any number of" if abs(number) == float("inf") else str(number)


def _array(writer: Schema, reader: Schema, roots: tuple[Schema, Schema], place: str) -> list[str]:
    found = []
    if "items" in reader and "prefixItems" not in reader:
        found += complaints(writer.get("items", {}), reader["items"], roots, _inside(place, "[]"))
    written, read = writer.get("prefixItems", []), reader.get("prefixItems", [])
    for number, item in enumerate(read):
        other = written[number] if number < len(written) else writer.get("items", {})
        found += complaints(other, item, roots, _inside(place, f"[{number}]"))
    return found


def _object(writer: Schema, reader: Schema, roots: tuple[Schema, Schema], place: str) -> list[str]:
    written, read = writer.get("properties", {}), reader.get("properties", {})
    found = [
        f"{_inside(place, name)}: it may be absent from what is written, and is required by what reads it"
        for name in sorted(set(reader.get("required", [])) - set(writer.get("required", [])))
    ]
    rest = reader.get("additionalProperties", True)
    for name, schema in written.items():
        if name in read:
            found += complaints(schema, read[name], roots, _inside(place, name))
        elif rest is False:
            found.append(f"{_inside(place, name)}: it may be written, and is refused as unknown")
        elif rest is not True:
            found += complaints(schema, rest, roots, _inside(place, name))
    if rest is not True and (more := writer.get("additionalProperties", False)):
        found += (
            [f"{place or 'the whole'}: any property may be written, and unknown ones are refused"]
            if rest is False
            else complaints({} if more is True else more, rest, roots, _inside(place, "*"))
        )
    return found


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
