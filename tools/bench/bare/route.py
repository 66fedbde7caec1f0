"""`GET /notes/{id}` with nothing but the query and the answer. The argument names the collection."""

import os
import sys
from datetime import datetime
from typing import Any

import uvicorn
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

VIEW = ("title", "preview", "word_count", "tags", "author", "status", "version", "created_at", "updated_at")
notes: Any = AsyncIOMotorClient(os.environ["NOTES_MONGO"]).get_default_database()[sys.argv[1]]


async def note(request: Request) -> Response:
    found = await notes.find_one({"_id": request.path_params["id"]}, dict.fromkeys(VIEW, 1))
    if found is None:
        return Response(status_code=404)
    found["id"] = found.pop("_id")
    for field in ("created_at", "updated_at"):
        moment: datetime = found[field]
        found[field] = moment.isoformat(timespec="milliseconds") + "Z"
    return Response(to_json(found), media_type="application/json")


async def ready(_: Request) -> Response:
    return Response()


if __name__ == "__main__":
    app = Starlette(routes=[Route("/notes/{id}", note), Route("/readyz", ready)])
    uvicorn.run(app, port=int(os.environ["NOTES_QUERY_PORT"]), access_log=False, log_level="warning", backlog=256)
