"""Is it alive, is it ready, what does it count."""

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import to_json

from notes_command.application.send_command import CommandTopic, TopicUnavailable
from notes_command.entrypoints.health import Health

NEEDED = ("kafka", "consumer")
"""What a request needs. Without PostgreSQL a command is still taken: it waits on Kafka."""


def probe_routes(health: Health, topic: CommandTopic) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez")
    async def livez() -> Response:
        """Answer while the process can."""
        return Response(b'{"ok":true}', media_type="application/json")

    @router.get("/readyz")
    async def readyz() -> Response:
        """503 only while something is away that a request needs; everything else is named in the body."""
        try:
            await topic.check()
        except TopicUnavailable as error:
            health.report("kafka", ok=False, reason=str(error))
        else:
            health.report("kafka", ok=True)
        ready = all(health.parts[name].ok for name in NEEDED if name in health.parts)
        shown = {"ready": ready, "parts": {name: part.as_json() for name, part in health.parts.items()}}
        return Response(to_json(shown), 200 if ready else 503, media_type="application/json")

    @router.get("/metrics")
    async def metrics() -> Response:
        """Prometheus's text format."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
