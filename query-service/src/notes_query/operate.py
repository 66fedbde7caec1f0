"""The second composition root: what is done once, from the command line, and ends."""

import argparse
from collections.abc import Awaitable, Callable

import structlog
import uvloop

from notes_chassis.administration import log_command
from notes_chassis.kafka.topic_check import make_topics
from notes_query.composition.shared import Shared
from notes_query.errors import NotesQueryError
from notes_query.projections import READ_MODELS
from notes_query.settings import Settings, read_settings

log = structlog.get_logger()

Work = Callable[[argparse.Namespace, Shared], Awaitable[int]]


def topics(arguments: argparse.Namespace) -> int:
    """Create the topics that are missing, mend the others; return the exit code."""
    settings = read_settings()
    return 2 if settings is None else make_topics(settings.cluster(), settings.topics, arguments.timeout)


def on_stores(work: Work) -> Callable[[argparse.Namespace], int]:
    """Return a command that does `work` with the stores connected, and says in a sentence what is away."""

    def command(arguments: argparse.Namespace) -> int:
        settings = read_settings()
        if settings is None:
            return 2
        code = uvloop.run(_connected(settings, arguments))
        log_command(arguments, code)
        return code

    async def _connected(settings: Settings, arguments: argparse.Namespace) -> int:
        shared = Shared(settings, READ_MODELS)
        try:
            return await work(arguments, shared)
        except NotesQueryError as error:
            log.error("not done", reason=str(error))  # noqa: TRY400 - a sentence, not a traceback
            return 1
        finally:
            await shared.topic.close()
            await shared.database.close()

    return command
