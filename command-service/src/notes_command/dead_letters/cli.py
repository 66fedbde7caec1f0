"""`dead-letters list|show|redrive|drop`."""

import argparse
import sys
from collections.abc import Sequence

from notes_command.dead_letters.arguments import letter_filter, names_nothing
from notes_command.dead_letters.dead_letter import DeadLetters, LetterFilter, StoredLetter
from notes_command.dead_letters.redrive import next_id
from notes_command.dead_letters.shown import as_json, listed, printed_json, whole, whole_as_json


async def dead_letters(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or held back, 2 not asked properly.

    Results go to standard output, complaints to standard error.
    """
    if arguments.action == "list":
        return await _list(letters, arguments)
    if arguments.action == "show":
        return await _show(letters, arguments)
    if names_nothing(arguments):
        _complain("which ones? name ids, give a filter, or say --all")
        return 2
    if arguments.action == "drop":
        return await _drop(letters, arguments)
    return await _redrive(letters, arguments)


async def _list(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    found = await letters.find(letter_filter(arguments), _limit(arguments))
    if arguments.json:
        printed_json([as_json(letter) for letter in found])
    else:
        print(listed(found) if found else "no dead letters")
    return 1 if _missing(arguments, found) else 0


async def _show(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    (position,) = arguments.id
    letter = await letters.whole(position)
    if letter is None:
        _complain(f"there is no dead letter {LetterFilter.text(position)}")
        return 1
    if arguments.json:
        printed_json(whole_as_json(letter))
    else:
        print(whole(letter))
    return 0


async def _drop(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    done = await letters.drop(letter_filter(arguments), _limit(arguments))
    if arguments.json:
        printed_json({"dropped": [one.id for one in done]})
    else:
        for one in done:
            print(f"dropped {one.id}")
    return 1 if _missing(arguments, done) else 0


async def _redrive(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    done = await letters.redrive(letter_filter(arguments), _limit(arguments), force=arguments.force)
    if arguments.json:
        sent = [{"id": one.id, "command_id": next_id(one)} for one in done.sent]
        held = [{"id": one.letter.id, "note_id": one.letter.note_id, "reason": one.reason} for one in done.held]
        printed_json({"redriven": sent, "held": held})
    else:
        for letter in done.sent:
            print(f"redriven {letter.id} as command {next_id(letter)}")
        for one in done.held:
            _complain(f"held back {one.letter.id}: {one.reason}; --force sends it all the same")
    missing = _missing(arguments, [*done.sent, *(one.letter for one in done.held)])
    return 1 if done.held or missing else 0


def _limit(arguments: argparse.Namespace) -> int:
    limit: int = arguments.limit
    return max(limit, len(arguments.id))


def _missing(arguments: argparse.Namespace, found: Sequence[StoredLetter]) -> bool:
    """Say what was asked for and is not there; return whether there is such a thing."""
    if not arguments.id and len(found) == arguments.limit:
        _complain(f"there may be more: these were the oldest {arguments.limit} (--limit)")
    there = {letter.position for letter in found}
    gone = [LetterFilter.text(position) for position in arguments.id if position not in there]
    for name in gone:
        _complain(f"there is no dead letter {name}")
    if not arguments.id and not found and arguments.action in ("redrive", "drop"):
        _complain("no dead letters match")
        return True
    return bool(gone)


def _complain(sentence: str) -> None:
    print(sentence, file=sys.stderr)
