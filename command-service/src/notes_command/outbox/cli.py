"""`outbox`: what waits to be sent, and what is parked."""

from typing import Any, Final

from notes_chassis.terminal import complain, print_json, printable, table
from notes_command.outbox.backlog import Unparked
from notes_command.outbox.backlog import unpark as unpark_and_wait
from notes_command.outbox.store import ParkedRow, PostgresOutbox
from notes_contracts import format_time, parse_id

SHOWN: Final = 100


async def outbox(view: PostgresOutbox, unpark: str | None, drop: str | None, *, as_json: bool) -> int:
    """Show it, or let go or drop what is parked of a note; return the exit code: 0 done, 1 nothing was, or not all."""
    if unpark is not None:
        return await _unpark(view, parse_id(unpark) or unpark, as_json=as_json)
    if drop is not None:
        return await _drop(view, parse_id(drop) or drop, as_json=as_json)
    found = await seen(view, SHOWN)
    if as_json:
        print_json(found)
        return 0
    rows, parked = found["rows"], found["parked"]
    print(f"waiting {found['waiting']}, the oldest for {found['oldest_s']:.1f} s; parked {parked}")
    if rows:
        print(table(("position", "topic", "note", "type", "parked at", "reason"), [list(row.values()) for row in rows]))
    if parked > len(rows):
        print(f"these are the first {len(rows)} of {parked}")
    return 0


async def seen(view: PostgresOutbox, limit: int) -> dict[str, Any]:
    """Return how much waits, for how long, and the first rows that are parked. Raises StoreError."""
    found = await view.backlog()
    return {
        "waiting": sum(one.rows for one in found),
        "oldest_s": round(max((one.oldest_s for one in found), default=0.0), 3),
        "parked": sum(one.parked for one in found),
        "rows": [_as_dict(row) for row in await view.parked_rows(limit)],
    }


async def _unpark(view: PostgresOutbox, note: str, *, as_json: bool) -> int:
    done = await unpark_and_wait(view, note)
    if as_json:
        print_json(unparked_as_dict(note, done))
    elif not sum(done[:3]):
        complain(f"nothing of {note} is parked")
    else:
        print(f"{_records(done.sent)} of {note} sent, in order")
        if done.waiting:
            print(f"{_records(done.waiting)} will be sent as soon as the topic can be written, see /readyz")
        if done.parked:
            print(f"{_records(done.parked)} parked again: {printable(done.reason or '')}")
    return 0 if done.sent and not done.waiting and not done.parked else 1


def unparked_as_dict(note: str, done: Unparked) -> dict[str, Any]:
    """Return what came of letting a note's records go."""
    return {"note": note, "unparked": sum(done[:3]), **done._asdict()}


async def _drop(view: PostgresOutbox, note: str, *, as_json: bool) -> int:
    count = await view.drop(note)
    if as_json:
        print_json({"note": note, "dropped": count})
    elif count:
        print(f"{_records(count)} of {note} dropped; `republish --note` sends what the note is now")
    else:
        complain(f"nothing of {note} is parked")
    return 0 if count else 1


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"


def _as_dict(row: ParkedRow) -> dict[str, object]:
    shown: dict[str, object] = {name: getattr(row, name) for name in ParkedRow.__slots__}
    return {**shown, "parked_at": format_time(row.parked_at)}
