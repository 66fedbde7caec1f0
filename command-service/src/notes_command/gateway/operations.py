"""For operators: whether the service is alive and ready, what it counts, and which messages it sends and reads."""

from typing import Any, Final, Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from notes_chassis.health import Health
from notes_command.errors import TopicUnavailable
from notes_command.gateway.app import VERSION
from notes_command.gateway.command_topic import KafkaCommandTopic
from notes_command.gateway.openapi import shown
from notes_command.settings import Settings
from notes_contracts import asyncapi as contract
from notes_contracts.examples import CREATED_AT
from notes_contracts.times import Timestamp

NEEDED = ("kafka",)
"""What a request needs. Without PostgreSQL a command is still taken: it waits on Kafka."""

_FIGURES: Final = "# TYPE notes_command_waiting gauge\nnotes_command_waiting 0.0\n"


class Alive(BaseModel):
    """The process answers."""

    ok: Literal[True]


class Part(BaseModel):
    """One thing that is well or not: since when, and why not."""

    ok: bool
    since: Timestamp
    reason: str | None = None


class Readiness(BaseModel):
    """Whether requests are served, and the state of every part."""

    ready: bool
    parts: dict[str, Part]


def _readiness(*, ready: bool) -> dict[str, Any]:
    kafka = {"ok": ready, "since": CREATED_AT} | ({} if ready else {"reason": "no broker answers"})
    return {"ready": ready, "parts": {"kafka": kafka, "consumer": {"ok": True, "since": CREATED_AT}}}


def probe_routes(health: Health, topic: KafkaCommandTopic) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="Is it alive?", response_description="It is.", responses=shown(200, {"ok": True}))
    async def livez() -> Alive:
        """Answer while the process can."""
        return Alive(ok=True)

    @router.get(
        "/readyz",
        summary="Can it take commands?",
        response_description="It can.",
        response_model_exclude_none=True,
        responses=shown(200, _readiness(ready=True))
        | shown(503, _readiness(ready=False), description="It cannot.", model=Readiness),
    )
    async def readyz(response: Response) -> Readiness:
        """503 only while something is away that a request needs; everything else is named in the body."""
        try:
            await topic.check()
        except TopicUnavailable as error:
            health.report("kafka", ok=False, reason=str(error))
        else:
            health.report("kafka", ok=True)
        ready = health.ready(NEEDED)
        response.status_code = 200 if ready else 503
        return Readiness.model_validate({"ready": ready, "parts": health.as_json()})

    return router


def metrics_routes() -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["operations"])

    @router.get(
        "/metrics",
        summary="Figures",
        response_class=PlainTextResponse,
        response_description="The figures.",
        responses=shown(200, _FIGURES, "text/plain"),
    )
    async def metrics() -> Response:
        """Return the figures in Prometheus's text format."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


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
