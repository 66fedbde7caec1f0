"""`/asyncapi`: the topics and messages, described from the contracts."""

from functools import reduce
from operator import or_
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI
from faststream.specification.asyncapi import get_asyncapi_html

from notes_command.settings import Settings
from notes_contracts import COMMANDS, EVENTS, Outcome

HEADERS: Final = (
    "CloudEvents 1.0, Kafka binding; written in binary mode, read in binary and structured mode. Key: the note id. "
    "Headers: ce_id, ce_type, ce_source, ce_time, ce_subject, ce_specversion, ce_sequence (the note's version), "
    "ce_correlationid, ce_causationid, traceparent. Of a command only ce_id (a UUID, the idempotency key) and ce_type "
    "are required."
)


def asyncapi_routes(settings: Settings) -> APIRouter:
    """Return the route: a page for a browser, JSON for everybody else."""
    specification = _specification(settings)
    document = specification.to_jsonable()
    # The default page mounts an unauthenticated POST that publishes: not here.
    page = get_asyncapi_html(specification, try_it_out_path=None)
    router = APIRouter(tags=["operations"])

    @router.get("/asyncapi")
    async def asyncapi(request: Request) -> Response:
        """Describe every topic and message."""
        wants_page = "text/html" in request.headers.get("accept", "")
        return HTMLResponse(page) if wants_page else JSONResponse(document)

    return router


def _specification(settings: Settings) -> Any:
    broker = KafkaBroker(settings.kafka)  # describes and is never started

    def consume(command: Any) -> None:
        """Name the type of what is consumed; never called."""

    consume.__annotations__["command"] = reduce(or_, COMMANDS.values())
    broker.subscriber(settings.topic_commands, title="Commands", description=f"What upstream asks for. {HEADERS}")(
        consume
    )
    broker.publisher(settings.topic_events, schema=reduce(or_, EVENTS.values()), title="Events", description=HEADERS)
    broker.publisher(settings.topic_outcomes, schema=Outcome, title="Outcomes", description=HEADERS)
    broker.publisher(
        settings.topic_command_dead_letters,
        schema=bytes,
        title="Dead letters",
        description="Value, key and headers of a record that nobody can process, and headers dead-letter-code, "
        "-reason, -topic, -partition, -offset, -time.",
    )
    return AsyncAPI(broker, title="Notes: command-service", version="1.0.0").to_specification()
