"""The HTTP side as a whole."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from notes_chassis.access.guard import Guard
from notes_chassis.access.tokens import Tokens
from notes_chassis.http.answers import Answers
from notes_chassis.http.dead_letters import DeadLettersMeant
from notes_chassis.http.docs import add_docs, restore_examples
from notes_chassis.http.parameters import tidy_parameters
from notes_command.gateway import openapi, problems
from notes_command.gateway.scopes import SCOPES
from notes_command.outbox.routes import ParkedNote
from notes_contracts import COMMANDS, Code, CreateNote

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

VERSION: Final = version("notes-command")
TAGS: Final = [
    {"name": "commands", "description": "Change notes, and ask what came of it."},
    {"name": "notes", "description": "Read what was just written."},
    {"name": "operations", "description": "For operators of the service."},
]


class App(FastAPI):
    """FastAPI, whose document has the schemas of errors and of the bodies that our routes read themselves."""

    def __init__(self, routers: Sequence[APIRouter], *, open_to_all: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self._open = open_to_all
        for router in routers:
            self.include_router(router)
        self._described = [route for router in routers for route in router.routes]

    def openapi(self) -> dict[str, Any]:
        """Return FastAPI's document with those, and with the examples that FastAPI takes out."""
        if self.openapi_schema is None:
            document = super().openapi()
            bodies = openapi.components(*COMMANDS.values(), DeadLettersMeant, ParkedNote)
            schemas = document["components"]["schemas"] | bodies
            # Over HTTP `note_id` may be left out of CreateNote: it follows from the command id.
            schemas[CreateNote.__name__]["required"].remove("note_id")
            document["components"] = {"schemas": dict(sorted(schemas.items()))}
            refusals = openapi.problems(Code.UNAUTHENTICATED, Code.FORBIDDEN)
            SCOPES.document(document, refusals, optional=self._open)
            restore_examples(document, self._described)
            tidy_parameters(document)
        return super().openapi()


def create_app(routers: Sequence[APIRouter], lifespan: Lifespan | None = None, tokens: Tokens | None = None) -> FastAPI:
    """Return the app with those routes; every error is a problem document. Without `tokens` nobody is asked for one."""
    app = App(
        routers,
        open_to_all=tokens is None,
        title="Notes: command-service",
        version=VERSION,
        summary="Takes commands over HTTP to Kafka and tells what came of them.",
        description="Errors are `application/problem+json` with a stable `code`. Fields are snake_case.",
        openapi_tags=TAGS,
        generate_unique_id_function=lambda route: route.name,
        separate_input_output_schemas=False,
        responses=openapi.problems(Code.INTERNAL),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would answer a wrong path with something other than a problem
    )
    problems.install(app)
    add_docs(app)
    SCOPES.check(app.routes)
    if tokens is not None:
        app.add_middleware(Guard, scopes=SCOPES, tokens=tokens)
    app.add_middleware(Answers)
    return app
