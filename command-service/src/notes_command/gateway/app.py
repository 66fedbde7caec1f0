"""The HTTP app, the routes for operators (probes and metrics), and the AsyncAPI document."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, FastAPI

from notes_chassis.access.guard import Scopes
from notes_chassis.access.tokens import Tokens
from notes_chassis.health import Health
from notes_chassis.http import probes
from notes_chassis.http.app import App
from notes_chassis.http.dead_letters import DeadLettersMeant
from notes_chassis.http.openapi import schemas_of
from notes_command.errors import TopicUnavailable
from notes_command.gateway.command_topic import KafkaCommandTopic
from notes_command.gateway.openapi import ANSWERS, Problem, problems
from notes_command.outbox.routes import ParkedNote
from notes_command.settings import Settings
from notes_contracts import COMMANDS, CreateNote
from notes_contracts import asyncapi as contract

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

VERSION: Final = version("notes-command")
TAGS: Final = [
    {"name": "commands", "description": "Change notes, and ask what came of it."},
    {"name": "notes", "description": "Read what was just written."},
    {"name": "operations", "description": "For operators of the service."},
]
READ: Final = "notes.read"
WRITE: Final = "notes.write"
ADMIN: Final = "notes.admin"
SCOPES: Final = Scopes(
    {
        "/commands/create-note": WRITE,
        "/commands/update-note": WRITE,
        "/commands/rename-note": WRITE,
        "/commands/tag-note": WRITE,
        "/commands/untag-note": WRITE,
        "/commands/archive-note": WRITE,
        "/commands/restore-note": WRITE,
        "/commands/delete-note": WRITE,
        "/commands/{command_id}": WRITE,
        "/commands/{name:path}": WRITE,  # names the commands that there are
        "/notes/{note_id}": READ,
        "/admin/republish": ADMIN,
        "/admin/dead-letters": ADMIN,
        "/admin/dead-letters/redrive": ADMIN,
        "/admin/dead-letters/drop": ADMIN,
        "/admin/dead-letters/{dead_letter}": ADMIN,
        "/admin/outbox": ADMIN,
        "/admin/outbox/unpark": ADMIN,
        "/admin/outbox/drop": ADMIN,
    }
)
"""The scope that each path needs. If a route has no line here, the service does not start."""
NEEDED: Final = ("kafka",)
"""The parts that a request needs. Without PostgreSQL a command is still accepted: it waits on Kafka."""


def create_app(
    routers: Sequence[APIRouter],
    lifespan: Lifespan | None = None,
    tokens: Tokens | None = None,
    tracing: "Tracing | None" = None,
) -> FastAPI:
    """Return the app with those routes. Every error is a problem document. Without `tokens` no request needs one."""
    return App(
        routers,
        SCOPES,
        tokens,
        errors=ANSWERS,
        problems=problems,
        schemas=_schemas,
        tracing=tracing,
        title="Notes: command-service",
        version=VERSION,
        summary="Takes commands over HTTP to Kafka and tells what came of them.",
        description="Errors are `application/problem+json` with a stable `code`. Fields are snake_case.",
        openapi_tags=TAGS,
        separate_input_output_schemas=False,
        lifespan=lifespan,
    )


def _schemas() -> Mapping[str, Any]:
    schemas = schemas_of(Problem, *COMMANDS.values(), DeadLettersMeant, ParkedNote)
    # Over HTTP `note_id` may be left out of CreateNote: it follows from the command id.
    schemas[CreateNote.__name__]["required"].remove("note_id")
    return schemas


def probe_routes(health: Health, topic: KafkaCommandTopic) -> APIRouter:
    """Return the routes of liveness and readiness."""

    async def check() -> None:
        try:
            await topic.check()
        except TopicUnavailable as error:
            health.report("kafka", ok=False, reason=str(error))
        else:
            health.report("kafka", ok=True)

    return probes.probe_routes(health, NEEDED, check, "Can it take commands?", "no broker answers")


def metrics_routes() -> APIRouter:
    """Return the route of `/metrics`."""
    return probes.metrics_routes("# TYPE notes_command_waiting gauge\nnotes_command_waiting 0.0\n")


def asyncapi_document(settings: Settings) -> dict[str, Any]:
    """Return the AsyncAPI document with the topics of these settings."""
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
