"""Is it alive, is it ready, what does it count."""

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import to_json

from notes_chassis.health import Health
from notes_command.gateway.documented import answer, documented
from notes_command.gateway.schemas import Alive, Readiness, reference
from notes_command.gateway.send_command import CommandTopic, TopicUnavailable
from notes_contracts.examples import CREATED_AT

NEEDED = ("kafka",)
"""What a request needs. Without PostgreSQL a command is still taken: it waits on Kafka."""

_FIGURES: Final = "# TYPE notes_command_waiting gauge\nnotes_command_waiting 0.0\n"


def _ready(*, well: bool) -> dict[str, Any]:
    kafka = {"ok": well, "since": CREATED_AT} | ({} if well else {"reason": "no broker answers"})
    return {"ready": well, "parts": {"kafka": kafka, "consumer": {"ok": True, "since": CREATED_AT}}}


def probe_routes(health: Health, topic: CommandTopic) -> APIRouter:
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
