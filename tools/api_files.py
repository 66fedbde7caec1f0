"""The committed descriptions of both services' APIs: `python -m tools.api_files` writes them to docs/api.

They are what the services answer with at /openapi.json and /asyncapi.json when nothing is set by the environment but
NOTES_AUTH=none.
Nothing is connected to. A test fails when the committed files differ.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import notes_command.app
import notes_command.settings
import notes_query.app
import notes_query.settings
from notes_command.gateway.app import asyncapi_document as command_asyncapi
from notes_query.composition.http_app import asyncapi_document as query_asyncapi

FOLDER: Final = Path(__file__).parents[1] / "docs" / "api"


async def documents() -> dict[str, dict[str, Any]]:
    """Return each document by its file's name."""
    # `model_construct` leaves the environment out.
    command = notes_command.settings.Settings.model_construct(auth="none")
    query = notes_query.settings.Settings.model_construct(auth="none")
    command_app, *_ = notes_command.app.build(command)
    query_app, *_ = notes_query.app.build(query)
    return {
        "command-service.openapi.json": command_app.openapi(),
        "command-service.asyncapi.json": command_asyncapi(command),
        "query-service.openapi.json": query_app.openapi(),
        "query-service.asyncapi.json": query_asyncapi(query, notes_query.app.VERSION),
    }


def texts() -> Mapping[str, str]:
    """Return the text of each file. Keys are sorted, so that a library that orders them anew changes nothing."""
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        for name, document in asyncio.run(documents()).items()
    }


if __name__ == "__main__":
    for file, text in texts().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
