"""The document as a page of plain HTML: no script, nothing that is loaded from elsewhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}"
    "pre{background:#f4f4f4;color:#111;padding:.8rem;overflow:auto}summary{cursor:pointer}"
)
_VERBS: Final = {"receive": "Receives", "send": "Sends"}


def page(document: Mapping[str, Any]) -> str:
    """Return the page of an AsyncAPI document made by `asyncapi`."""
    info = document["info"]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{escape(info['title'])}: messages</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(info['title'])}, messages</h1><p>{escape(info['description'])}</p>",
            '<p>For programs: <a href="asyncapi.json">asyncapi.json</a> (AsyncAPI 3.0).</p>',
            *_operations(document),
            "</body></html>",
        ]
    )


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    described = set()
    for operation in document["operations"].values():
        channel = _referenced(document, operation["channel"]["$ref"])
        yield f"<h2>{_VERBS[operation['action']]} <code>{escape(channel['address'])}</code></h2>"
        yield f"<p>{escape(operation['summary'])}</p>"
        if channel["address"] in described:
            yield "<p>Its messages are described above.</p>"
            continue
        described.add(channel["address"])
        yield from _channel(document, channel)


def _channel(document: Mapping[str, Any], channel: Mapping[str, Any]) -> Iterator[str]:
    kafka = channel["bindings"]["kafka"]
    kept = kafka["topicConfiguration"]["retention.ms"]
    days = "for ever" if kept < 0 else f"{kept / 86_400_000:g} days"
    size = kafka["topicConfiguration"]["max.message.bytes"] // (1024 * 1024)
    yield f"<p>{escape(channel['description'])}</p>"
    yield f"<p>Partitions: {kafka['partitions']}. Kept: {days}. A record has at most {size} MiB.</p>"
    messages = [_referenced(document, reference["$ref"]) for reference in channel["messages"].values()]
    yield from _headers(document, messages[0]["headers"])
    for message in messages:
        yield f"<details><summary><code>{escape(message['name'])}</code> {escape(message['title'])}</summary>"
        yield f"<p>{escape(message['summary'])}</p>"
        yield f"<p>Key: {escape(message['bindings']['kafka']['key']['description'])}</p>"
        yield f"<h4>Value</h4>{_json(_resolved(document, message['payload']))}"
        yield f"<h4>Example</h4>{_json(message['examples'][0])}</details>"


def _headers(document: Mapping[str, Any], headers: Mapping[str, Any]) -> Iterator[str]:
    schema = _referenced(document, headers["$ref"] if "$ref" in headers else headers["allOf"][0]["$ref"])
    yield f"<h3>Headers</h3><p>{escape(schema['description'])}</p><table><tr><th>header<th><th>what it is</tr>"
    for name, header in schema["properties"].items():
        needed = "required" if name in schema["required"] else "optional"
        yield f"<tr><td><code>{escape(name)}</code><td>{needed}<td>{escape(header['description'])}</tr>"
    yield "</table><h3>Messages</h3>"


def _referenced(document: Mapping[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _resolved(document: Mapping[str, Any], schema: Any) -> Any:
    """Return the schema with its references replaced. No schema of the contracts refers to itself."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            return _resolved(document, _referenced(document, schema["$ref"]))
        return {name: _resolved(document, below) for name, below in schema.items()}
    return [_resolved(document, below) for below in schema] if isinstance(schema, list) else schema


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
