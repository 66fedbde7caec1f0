"""What commands share: their stores, and arguments that several take."""

import argparse
from collections.abc import Awaitable, Callable, Sequence

import structlog
import uvloop

from notes_chassis.logs import log_command
from notes_chassis.settings import Command
from notes_chassis.terminal import complain
from notes_contracts import parse_id
from notes_query.composition.shared import Shared
from notes_query.errors import NotesQueryError, Refused
from notes_query.projections import READ_MODELS
from notes_query.settings import Settings, read_settings

log = structlog.get_logger()


def on_stores(work: Callable[[argparse.Namespace, Shared], Awaitable[int]]) -> Command:
    """Return a command that does `work` with the stores connected, and says in a sentence why it was not done."""

    def command(arguments: argparse.Namespace) -> int:
        settings = read_settings()
        code = uvloop.run(_connected(settings, arguments))
        log_command(arguments, code)
        return code

    async def _connected(settings: Settings, arguments: argparse.Namespace) -> int:
        shared = Shared(settings, READ_MODELS)
        try:
            return await work(arguments, shared)
        except Refused as error:
            complain(f"refused: {error}")
            return 1
        except NotesQueryError as error:
            log.error("not done", reason=str(error))  # noqa: TRY400 - a sentence, not a traceback
            return 1
        finally:
            await shared.topic.close()
            await shared.database.close()

    return command


def note_id(text: str) -> str:
    """Return an id in lower case."""
    if (found := parse_id(text)) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a UUID with dashes")
    return found


def chosen(named: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the read models that are named, each once; all known ones if none is. Raises Refused for another name."""
    if unknown := sorted(set(named) - set(known)):
        raise Refused(f"there is no read model {', '.join(unknown)}; there are {', '.join(known)}")
    return [read_model for read_model in known if not named or read_model in named]
