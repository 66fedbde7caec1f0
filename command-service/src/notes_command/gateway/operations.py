"""For whoever runs the service: is it alive, is it ready, what does it count, which messages does it speak."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import to_json

from notes_chassis.health import Health
from notes_command.errors import TopicUnavailable
from notes_command.gateway.app import VERSION
from notes_command.gateway.command_topic import KafkaCommandTopic
from notes_command.gateway.documented import answer, documented
from notes_command.gateway.schemas import Alive, Readiness, reference
from notes_command.settings import Settings
from notes_contracts import asyncapi as contract
from notes_contracts.examples import CREATED_AT

NEEDED = ("kafka",)
"""What a request needs. Without PostgreSQL a command is still taken: it waits on Kafka."""

_FIGURES: Final = "# TYPE notes_command_waiting gauge\nnotes_command_waiting 0.0\n"


def _ready(*, well: bool) -> dict[str, Any]:
    kafka = {"ok": well, "since": CREATED_AT} | ({} if well else {"reason": "no broker answers"})
    return {"ready": well, "parts": {"kafka": kafka, "consumer": {"ok": True, "since": CREATED_AT}}}


def probe_routes(health: Health, topic: KafkaCommandTopic) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", **documented("livez", "Is it alive?", answer(200, "It is.", reference(Alive), {"ok": True})))
    async def livez() -> Response:
        """Answer while the process can."""
        return Response(b'{"ok":true}', media_type="application/json")

    @router.get(
        "/readyz",
        **documented(
            "readyz",
            "Can it take commands?",
            answer(200, "It can.", reference(Readiness), _ready(well=True))
            | answer(503, "It cannot.", reference(Readiness), _ready(well=False)),
        ),
    )
    async def readyz() -> Response:
        """503 only while something is away that a request needs; everything else is named in the body."""
        try:
            await topic.check()
        except TopicUnavailable as error:
            health.report("kafka", ok=False, reason=str(error))
        else:
            health.report("kafka", ok=True)
        ready = health.ready(NEEDED)
        shown = {"ready": ready, "parts": health.as_json()}
        return Response(to_json(shown), 200 if ready else 503, media_type="application/json")

    @router.get(
        "/metrics",
        **documented(
            "metrics", "Figures", answer(200, "The figures.", {"type": "string"}, _FIGURES, media_type="text/plain")
        ),
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


def asyncapi_routes(settings: Settings) -> APIRouter:
    """Return the routes: `/asyncapi` is a page for a browser and JSON for everybody else."""
    document = asyncapi_document(settings)
    page, body = contract.page(document), to_json(document)
    router = APIRouter(tags=["operations"])
    shown = {"asyncapi": "3.0.0", "info": document["info"], "channels": {}, "operations": {}}
    as_json = answer(200, "The document.", {"type": "object"}, shown)
    as_page = {"text/html": {"schema": {"type": "string"}, "example": page[:15]}}

    @router.get(
        "/asyncapi",
        **documented(
            "describe_messages",
            "The topics, headers and messages",
            as_json | {200: {**as_json[200], "content": as_json[200]["content"] | as_page}},
        ),
    )
    async def asyncapi(request: Request) -> Response:
        """Describe every topic, header and message: a page if HTML is accepted, else the AsyncAPI document."""
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(page, headers={"Vary": "Accept"})
        return Response(body, headers={"Vary": "Accept"}, media_type="application/json")

    @router.get("/asyncapi.json", **documented("get_asyncapi", "The AsyncAPI document", as_json))
    async def as_document() -> Response:
        """Return the AsyncAPI 3.0 document of every topic, header and message."""
        return Response(body, media_type="application/json")

    return router
