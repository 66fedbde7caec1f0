"""The AsyncAPI 3 document of a service, and a page of it.

It is made from the contracts, not by FastStream, which knows only the subscribers of its brokers. Records of our own
producers, headers, keys, partitions and retention would all be missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic.json_schema import models_json_schema

from notes_contracts.asyncapi.headers import HEADERS
from notes_contracts.asyncapi.messages import (
    BINDING,
    COMMAND_DEAD_LETTERS,
    COMMANDS,
    EVENT_DEAD_LETTERS,
    EVENTS,
    OUTCOMES,
    Channel,
    messages_of,
)
from notes_contracts.asyncapi.page import page
from notes_contracts.messages import MESSAGES

__all__ = [
    "COMMANDS",
    "COMMAND_DEAD_LETTERS",
    "EVENTS",
    "EVENT_DEAD_LETTERS",
    "OUTCOMES",
    "Operation",
    "asyncapi",
    "page",
]

_SERVER: Final = {
    "host": "{bootstrap}",
    "protocol": "kafka",
    "description": "Apache Kafka.",
    "variables": {"bootstrap": {"default": "127.0.0.1:9092", "description": "The setting NOTES_KAFKA."}},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What a service does with a topic. `address` is the topic's name, a setting; `group`: the consumer group."""

    action: Literal["receive", "send"]
    channel: Channel
    address: str
    summary: str
    group: str | None = None

    @property
    def name(self) -> str:
        """Return its key in the document: `receiveCommands`."""
        return self.action + self.channel.name[0].upper() + self.channel.name[1:]


def asyncapi(title: str, version: str, description: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of a service with these operations."""
    channels = {operation.channel.name: operation for operation in operations}
    messages: dict[str, Any] = {}
    for operation in channels.values():
        messages |= messages_of(operation.channel)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version, "description": description},
        "defaultContentType": "application/json",
        "servers": {"kafka": _SERVER},
        "channels": {name: _channel(operation.channel, operation.address) for name, operation in channels.items()},
        "operations": {operation.name: _operation(operation) for operation in operations},
        "components": {
            "messages": messages,
            "schemas": _schemas([operation.channel for operation in channels.values()]),
        },
    }


def _channel(channel: Channel, address: str) -> dict[str, Any]:
    topic = channel.topic
    settings = {
        "cleanup.policy": ["delete"],
        "retention.ms": topic.retention_ms,
        "max.message.bytes": topic.max_bytes,
    }
    return {
        "address": address,
        "title": channel.title,
        "description": channel.description,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages_of(channel)},
        "bindings": {
            "kafka": {
                "topic": address,
                "partitions": topic.partitions,
                "topicConfiguration": settings,
                "bindingVersion": BINDING,
            }
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    channel = f"#/channels/{operation.channel.name}"
    shown: dict[str, Any] = {
        "action": operation.action,
        "channel": {"$ref": channel},
        "summary": operation.summary,
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in messages_of(operation.channel)],
    }
    if operation.group is not None:
        group = {"type": "string", "const": operation.group}
        shown["bindings"] = {"kafka": {"groupId": group, "bindingVersion": BINDING}}
    return shown


def _schemas(channels: Sequence[Channel]) -> dict[str, Any]:
    headers = {f"{channel.kind}Headers": HEADERS[channel.kind] for channel in channels}
    models = {MESSAGES[ce_type] for channel in channels for ce_type in channel.types}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, found = models_json_schema(
        [(model, "validation") for model in ordered], ref_template="#/components/schemas/{model}"
    )
    return dict(sorted((headers | found.get("$defs", {})).items()))
