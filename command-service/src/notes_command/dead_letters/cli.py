"""`dead-letters list|show|redrive|drop`, for people and for programs."""

import argparse
from collections.abc import Sequence
from typing import Any, Final

from notes_chassis import dead_letters as grammar
from notes_chassis.dead_letters import Grammar, Parts, limit, missing, show, show_whole, wanted
from notes_chassis.terminal import complain, shortened, table
from notes_command.dead_letters.dead_letter import (
    SentBack,
    StoredDeadLetter,
    full_type,
    next_id,
    note_filter,
    short_type,
)
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_contracts import Code, format_time

REASON_MAX: Final = 80
TYPE_MAX: Final = 32
GRAMMAR: Final = Grammar(
    redrives="send them back, each under a new command id",
    codes=(Code.UNDECODABLE.value, Code.INTERNAL.value),
    subject="--note",
    subject_of=note_filter,
    type_of=full_type,
    example="update-note",
)


def add_arguments(top: argparse.ArgumentParser) -> None:
    """Add what `dead-letters` takes."""
    why = "also those whose notes have changed since, or have an older open dead letter"
    grammar.add_arguments(top, GRAMMAR).add_argument("--force", action="store_true", help=why)


async def dead_letters(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or held back, 2 not asked properly.

    Results go to standard output, complaints to standard error.
    """
    if arguments.action == "show":
        return await _show(dead_letters, arguments)
    if arguments.action == "list":
        found = await dead_letters.find(wanted(arguments), limit(arguments))
        show(arguments, [as_json(one) for one in found], listed(found) if found else "no dead letters")
        return 1 if missing(arguments, [one.id for one in found]) else 0
    if grammar.names_nothing(arguments):
        return 2
    if arguments.action == "drop":
        dropped = [one.id for one in await dead_letters.drop(wanted(arguments), limit(arguments))]
        show(arguments, {"dropped": dropped}, "\n".join(f"dropped {id_}" for id_ in dropped))
        return 1 if missing(arguments, dropped) else 0
    return await _redrive(dead_letters, arguments)


async def _show(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    (position,) = arguments.ids
    dead_letter = await dead_letters.whole(position)
    if dead_letter is None:
        complain(f"there is no dead letter {position}")
        return 1
    source = dead_letter.source
    show_whole(arguments, as_json(dead_letter), Parts(source.key, source.headers, source.value))
    return 0


async def _redrive(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    done = await dead_letters.redrive(wanted(arguments), limit(arguments), force=arguments.force)
    text = "\n".join(f"redriven {one.id} as command {next_id(one)}" for one in done.sent)
    show(arguments, sent_back_as_json(done), text)
    if not arguments.json:
        for one in done.held:
            complain(f"held back {one.dead_letter.id}: {one.reason}; --force sends it all the same")
    gone = missing(arguments, [one.id for one in [*done.sent, *(one.dead_letter for one in done.held)]])
    return 1 if done.held or gone else 0


def listed(dead_letters: Sequence[StoredDeadLetter]) -> str:
    """Return a table, one line for each dead letter."""
    head = ("id", "time", "state", "code", "type", "note", "reason")
    rows = [
        (
            one.id,
            format_time(one.at),
            one.state,
            one.code,
            None if one.type is None else shortened(short_type(one.type), TYPE_MAX),
            one.note_id,
            shortened(one.reason, REASON_MAX),
        )
        for one in dead_letters
    ]
    return table(head, rows)


def as_json(dead_letter: StoredDeadLetter) -> dict[str, Any]:
    """Return what `list` tells of a dead letter."""
    return {
        "id": dead_letter.id,
        "time": format_time(dead_letter.at),
        "state": dead_letter.state,
        "code": dead_letter.code,
        "type": dead_letter.type,
        "command_id": dead_letter.command_id,
        "note_id": dead_letter.note_id,
        "reason": dead_letter.reason,
    }


def sent_back_as_json(done: SentBack) -> dict[str, list[dict[str, Any]]]:
    """Return what came of a redrive."""
    held = [{"id": one.dead_letter.id, "note_id": one.dead_letter.note_id, "reason": one.reason} for one in done.held]
    return {"redriven": [{"id": one.id, "command_id": next_id(one)} for one in done.sent], "held": held}
