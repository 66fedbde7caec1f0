"""`outbox`: what waits to be sent, and what is parked."""

from typing import Final

from notes_chassis.terminal import complain, print_json, printable, table
from notes_command.outbox import backlog
from notes_command.outbox.store import PostgresOutbox
from notes_contracts import parse_id

SHOWN: Final = 100


async def outbox(view: PostgresOutbox, unpark: str | None, drop: str | None, *, as_json: bool) -> int:
    """Show the outbox, or unpark or drop a note's records. Return the exit code: 0 all done, 1 nothing or not all."""
    if unpark is not None:
        return await _unpark(view, parse_id(unpark) or unpark, as_json=as_json)
    if drop is not None:
        return await _drop(view, parse_id(drop) or drop, as_json=as_json)
    seen = await backlog.seen(view, SHOWN)
    if as_json:
        print_json(seen)
        return 0
    print(f"waiting {seen.waiting}, the oldest for {seen.oldest_s:.1f} s; parked {seen.parked}")
    if seen.rows:
        rows = [list(row.model_dump().values()) for row in seen.rows]
        print(table(("position", "topic", "note", "type", "parked at", "reason"), rows))
    if seen.parked > len(seen.rows):
        print(f"these are the first {len(seen.rows)} of {seen.parked}")
    return 0


async def _unpark(view: PostgresOutbox, note: str, *, as_json: bool) -> int:
    done = await backlog.unpark(view, note)
    if as_json:
        print_json(done)
    elif not done.unparked:
        complain(f"nothing of {note} is parked")
    else:
        print(f"{_records(done.sent)} of {note} sent, in order")
        if done.waiting:
            print(f"{_records(done.waiting)} will be sent as soon as the topic can be written, see /readyz")
        if done.parked:
            print(f"{_records(done.parked)} parked again: {printable(done.reason or '')}")
    return 0 if done.sent and not done.waiting and not done.parked else 1


async def _drop(view: PostgresOutbox, note: str, *, as_json: bool) -> int:
    done = await backlog.drop(view, note)
    if as_json:
        print_json(done)
    elif done.dropped:
        print(f"{_records(done.dropped)} of {note} dropped; `republish --note` sends what the note is now")
    else:
        complain(f"nothing of {note} is parked")
    return 0 if done.dropped else 1


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"
