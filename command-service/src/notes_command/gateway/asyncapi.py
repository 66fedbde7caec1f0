"""`/asyncapi`: what is read from Kafka and written to it, as a page and as AsyncAPI 3."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic_core import to_json

from notes_command.gateway.app import VERSION
from notes_command.gateway.documented import answer, documented
from notes_command.settings import Settings
from notes_contracts import asyncapi as contract


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
