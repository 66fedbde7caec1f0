"""For operators: whether the service is alive and ready, what it counts, and which messages it sends and reads."""

from typing import Any

from fastapi import APIRouter

from notes_chassis.health import Health
from notes_chassis.http import probes
from notes_command.errors import TopicUnavailable
from notes_command.gateway.app import VERSION
from notes_command.gateway.command_topic import KafkaCommandTopic
from notes_command.settings import Settings
from notes_contracts import asyncapi as contract

NEEDED = ("kafka",)
"""What a request needs. Without PostgreSQL a command is still taken: it waits on Kafka."""


def probe_routes(health: Health, topic: KafkaCommandTopic) -> APIRouter:
    """Return the routes."""

    async def look() -> None:
        try:
            await topic.check()
        except TopicUnavailable as error:
            health.report("kafka", ok=False, reason=str(error))
        else:
            health.report("kafka", ok=True)

    return probes.probe_routes(health, NEEDED, look, "Can it take commands?", "no broker answers")


def metrics_routes() -> APIRouter:
    """Return the route."""
    return probes.metrics_routes("# TYPE notes_command_waiting gauge\nnotes_command_waiting 0.0\n")


def asyncapi_document(settings: Settings) -> dict[str, Any]:
    """Return the document, with the topics' names as they are set."""
    operation = contract.Operation
    return contract.asyncapi(
        "Notes: command-service",
        VERSION,
        "Decides commands. CloudEvents 1.0 over Kafka: attributes in headers, data as the value.",
        [
            operation(
                "receive", contract.COMMANDS, settings.topic_commands, "Decides commands.", settings.command_group
            ),
            operation("send", contract.COMMANDS, settings.topic_commands, "Passes on commands sent over HTTP."),
            operation("send", contract.EVENTS, settings.topic_events, "Tells what happened, and sends snapshots."),
            operation("send", contract.OUTCOMES, settings.topic_outcomes, "Answers every command."),
            operation(
                "send",
                contract.COMMAND_DEAD_LETTERS,
                settings.topic_command_dead_letters,
                "Shows what nobody could process; it can be sent back.",
            ),
        ],
    )
