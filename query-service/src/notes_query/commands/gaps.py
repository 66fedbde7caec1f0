"""`gaps`, `missing list|show|drop` and `forks list|show|drop`: what keeps notes from being complete."""

import argparse
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from notes_chassis.dead_letters_cli import show
from notes_chassis.terminal import complain, positive, printable, table
from notes_contracts import format_time, parse_id, read
from notes_contracts.times import now
from notes_query.commands.stores import note_id, on_stores
from notes_query.composition.indexes import create_indexes
from notes_query.composition.monitoring import forks_of, gaps_in, heal
from notes_query.composition.shared import Shared
from notes_query.repairing.forks import Dropped, Fork, Forks
from notes_query.repairing.gaps import Gap
from notes_query.repairing.missing_versions import MissingVersion, MissingVersions

AT_ONCE: Final = 1000
_GAPS_COLUMNS: Final = ("note", "version", "missing", "waiting", "awaited", "forks", "stopped", "since", "read model")
_MISSING_COLUMNS: Final = ("note", "announced", "since")
_FORKS_COLUMNS: Final = ("fork", "type", "stopped", "since", "read at", "read models")


def add_gaps(commands: Any) -> None:
    """Add the command's grammar."""
    parser = commands.add_parser("gaps", help="notes of which a version is missing, or has come twice and differently")
    parser.add_argument("--note", type=note_id, metavar="ID", help="this one only")
    _add_shown(parser)


@on_stores
async def gaps(arguments: argparse.Namespace, shared: Shared) -> int:
    """Show them; return the exit code: 0 none, 1 some. Raises StoreUnavailable, Building."""
    await create_indexes(shared.database)
    shared.served.follow(await shared.builds.served())
    return tell_gaps(arguments, await gaps_in(shared, building=True).find(arguments.limit, arguments.note))


def tell_gaps(arguments: argparse.Namespace, found: Sequence[Gap]) -> int:
    """Show these; return the exit code."""
    show(arguments, _as_json(found), table(_GAPS_COLUMNS, map(_gaps_row, found)) if found else "no gaps")
    _tell_limit(arguments, found)
    return 1 if found else 0


def _tell_limit(arguments: argparse.Namespace, found: Sequence[Any]) -> None:
    if len(found) == arguments.limit:
        complain(f"there may be more: these are the oldest {arguments.limit} (--limit)")


def _as_json(found: Iterable[Gap | Fork | MissingVersion]) -> list[dict[str, Any]]:
    return [{**asdict(one), "since": format_time(one.since)} for one in found]


def _gaps_row(gap: Gap) -> tuple[Any, ...]:
    forks, stopped, since = gap.forks, "yes" if gap.stopped else "no", format_time(gap.since)
    return (gap.note_id, gap.version, gap.missing, gap.waiting, gap.awaited, forks, stopped, since, gap.read_model)


def add_missing(commands: Any) -> None:
    """Add the command's grammar."""
    summary = "last versions that outcomes have announced and that did not come: list, show, drop"
    actions = commands.add_parser("missing", help=summary).add_subparsers(dest="action", required=True)
    helps = {"list": "a table of them", "show": "of these notes", "drop": "wait for them no longer"}
    for name, text in helps.items():
        action = actions.add_parser(name, help=text)
        action.add_argument("ids", nargs="*" if name == "list" else "+", type=note_id, metavar="ID", help="a note's id")
        _add_shown(action)


@on_stores
async def missing(arguments: argparse.Namespace, shared: Shared) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found. Raises StoreUnavailable."""
    store = MissingVersions(shared.database)
    found = await store.of(arguments.ids) if arguments.ids else await store.oldest(arguments.limit)
    gone = set(arguments.ids) - {one.note_id for one in found}
    for id_ in sorted(gone):
        complain(f"nothing is missing of {id_}")
    if arguments.action == "drop":
        await store.forget([one.note_id for one in found])
        # That takes the mark from documents of which nothing else is missing.
        await heal(shared, [one.note_id for one in found])
        show(arguments, _as_json(found), "\n".join(f"dropped {one.note_id}: version {one.version}" for one in found))
    else:
        rows = [(one.note_id, one.version, format_time(one.since)) for one in found]
        show(arguments, _as_json(found), table(_MISSING_COLUMNS, rows) if rows else "nothing is missing")
        if not arguments.ids:
            _tell_limit(arguments, found)
    return 1 if gone else 0


def add_forks(commands: Any) -> None:
    """Add the command's grammar."""
    summary = "events under a version that another event has made: list, show, drop"
    actions = commands.add_parser("forks", help=summary).add_subparsers(dest="action", required=True)
    one = actions.add_parser("show", help="one, with what it says, as it stands on the topic")
    one.add_argument("ids", nargs=1, metavar="ID", help="note:version:event")
    for name, text in (("list", "a table of them"), ("drop", "let them count for nothing")):
        action = actions.add_parser(name, help=text)
        action.add_argument("ids", nargs="*", metavar="ID", help="note:version:event")
        action.add_argument("--note", type=note_id, metavar="ID", help="of one note")
        if name == "list":
            _add_shown(action)
        else:
            _add_shown(action, None, "at most so many, the oldest first (all that are meant)")
            action.add_argument("--all", action="store_true", help="every one; else an id or a note is needed")
            forced = "also those that stop their note: its first history is right"
            action.add_argument("--force", action="store_true", help=forced)


@on_stores
async def forks(arguments: argparse.Namespace, shared: Shared) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or refused, 2 not asked properly.

    Raises StoreUnavailable, TopicUnavailable.
    """
    kept = await forks_of(shared)
    if arguments.action == "show":
        return await _show_fork(arguments.ids[0], kept, shared)
    if arguments.action == "drop" and not (arguments.all or arguments.ids or arguments.note):
        complain("which ones? Name ids, give --note, or say --all")
        return 2
    if arguments.action == "list":
        return await list_forks(arguments, kept)
    return await drop_forks(arguments, kept, partial(heal, shared))


async def list_forks(arguments: argparse.Namespace, kept: Forks) -> int:
    """Show them; return the exit code."""
    found = await kept.find(max(arguments.limit, len(arguments.ids)), arguments.note, arguments.ids or None)
    show(arguments, _as_json(found), table(_FORKS_COLUMNS, map(_forks_row, found)) if found else "no forks")
    return _tell_rest(arguments, [fork.id for fork in found])


async def drop_forks(
    arguments: argparse.Namespace, kept: Forks, heal: Callable[[Collection[str]], Awaitable[None]]
) -> int:
    """Drop all that are meant, some at a time, or as many as `--limit` says; return the exit code."""
    ids, done = arguments.ids or (await kept.ids(arguments.note))[: arguments.limit], Dropped([], [])
    for start in range(0, len(ids), AT_ONCE):
        found = await kept.find(AT_ONCE, arguments.note, ids[start : start + AT_ONCE])
        more = await kept.drop(found, heal, now(), force=arguments.force)
        done.dropped.extend(more.dropped)
        done.refused.extend(more.refused)
    show(arguments, done._asdict(), "\n".join(f"dropped {id_}" for id_ in done.dropped) or "nothing was dropped")
    for id_ in done.refused:
        complain(f"refused: {id_} stops its note; ask for a snapshot, or --force")
    return _tell_rest(arguments, [*done.dropped, *done.refused]) or (1 if done.refused else 0)


def _tell_rest(arguments: argparse.Namespace, found: Sequence[str]) -> int:
    """Say what was not found, or that there may be more; return the exit code."""
    there = set(found)
    for id_ in (gone := [id_ for id_ in arguments.ids if id_ not in there]):
        complain(f"there is no fork {printable(id_)}")
    if not arguments.ids:
        _tell_limit(arguments, found)
    return 1 if gone else 0


async def _show_fork(id_: str, forks: Forks, shared: Shared) -> int:
    found = await forks.find(1, ids=[id_])
    if not found:
        complain(f"there is no fork {printable(id_)}")
        return 1
    (fork,) = found
    lines = {**asdict(fork), "since": format_time(fork.since), "read_models": ", ".join(fork.read_models)}
    print("\n".join(f"{name}: {printable(str(value))}" for name, value in lines.items()))
    if fork.topic != (now_read := shared.settings.topic_events):
        complain(f"its text is not shown: it was read from {printable(fork.topic)}, and {now_read} is read now")
        return 1
    for record in await anext(shared.topic.read(fork.partition, fork.offset, fork.offset + 1), ()):
        if parse_id(read(record.headers, record.value).id) == fork.event_id:
            print(printable((record.value or b"").decode(errors="replace"), also="\n"))
            return 0
    complain("its text is not shown: another event stands there, or none, since the topic was made anew or cut")
    return 1


def _forks_row(fork: Fork) -> tuple[Any, ...]:
    read_at = f"{fork.topic}:{fork.partition}:{fork.offset}"
    stopped = "yes" if fork.stopped else "no"
    return (fork.id, fork.type, stopped, format_time(fork.since), read_at, " ".join(fork.read_models))


def _add_shown(
    parser: argparse.ArgumentParser,
    limit: int | None = AT_ONCE,
    most: str = f"at most so many, the oldest first ({AT_ONCE})",
) -> None:
    parser.add_argument("--limit", type=positive, default=limit, help=most)
    parser.add_argument("--json", action="store_true", help="for programs")
