"""What people do with dead letters, in the same way by command line and HTTP: list, show, drop, apply once more.

To apply one writes nothing to a topic: its record is in it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from notes_chassis import dead_letters as kept
from notes_chassis.dead_letters import DeadLetterFilter
from notes_contracts import Code
from notes_query.errors import DocumentRefused, NotesQueryError, reason_of
from notes_query.projecting.counts import Counts, add_counts
from notes_query.projecting.stored_record import DeadLetter, DeadLetterStore
from notes_query.projections.read_model import Record
from notes_query.repairing.dead_letter_store import DeadLetters, KeptDeadLetter

REASON_LENGTH: Final = 1000


class Target(NamedTuple):
    """What processes the records of a topic: a build, or the outcomes. `name` is for people."""

    name: str
    process: Callable[[Sequence[Record]], Awaitable[Counts]]


Targets = Callable[[DeadLetterStore], Mapping[str, Sequence[Target]]]
"""Returns what is fed from each topic, with a store in which they put what they give up."""


class Redriven(NamedTuple):
    """What became of one dead letter: what was done with its record in all targets, or why it failed again."""

    dead_letter: KeptDeadLetter
    counts: Counts
    failure: str | None


@dataclass(slots=True)
class _GivenUp:
    """DeadLetterStore: sets the dead letter aside that is redriven; any other, of an event that waited, is kept."""

    store: DeadLetterStore
    redriven: str = ""
    again: DeadLetter | None = None

    async def add(self, dead_letters: Sequence[DeadLetter]) -> None:
        for dead_letter in dead_letters:
            if dead_letter.place == self.redriven.partition("#")[0]:
                self.again = dead_letter
            else:
                await self.store.add([dead_letter])


class Redrive:
    """The same dead letter twice has one effect: each target knows the versions that it has."""

    def __init__(self, dead_letters: DeadLetters, targets: Targets, clock: Callable[[], datetime]) -> None:
        self._dead_letters = dead_letters
        self._given_up = _GivenUp(dead_letters)
        self._targets = targets(self._given_up)
        self._clock = clock

    async def __call__(self, wanted: DeadLetterFilter, limit: int) -> list[Redriven]:
        """Return what became of each, the oldest first. Raises StoreUnavailable; what is done by then stays done."""
        found = await self._dead_letters.find(wanted, limit)
        return [await self._one(dead_letter) for dead_letter in found]

    async def _one(self, dead_letter: KeptDeadLetter) -> Redriven:
        whole = await self._dead_letters.whole(dead_letter.id)
        if whole is None or whole.record is None:
            return Redriven(dead_letter, Counts(), "it is kept no longer")
        self._given_up.redriven = dead_letter.id
        targets = self._targets.get(whole.record.topic, ())
        counts = Counts()
        tried = [await self._apply(target, whole.record, counts) for target in targets]
        failures = [failure for failure in tried if failure is not None]
        if not targets:
            failures = [(dead_letter.code, f"nothing here reads the topic {whole.record.topic}")]
        if failures:
            code, reason = failures[0]
            await self._dead_letters.failed_again(dead_letter.id, str(code), reason[:REASON_LENGTH], self._clock())
            return Redriven(dead_letter, counts, reason)
        await self._dead_letters.close([dead_letter.id], "redriven", self._clock())
        return Redriven(dead_letter, counts, None)

    async def _apply(self, target: Target, record: Record, counts: Counts) -> tuple[str, str] | None:
        """Return why the target could not process the record."""
        self._given_up.again = None
        try:
            add_counts(counts, await target.process([record]))
        except Exception as error:  # as in Isolate: whatever it is, the others go on
            if isinstance(error, NotesQueryError) and not isinstance(error, DocumentRefused):
                raise
            return Code.INTERNAL, f"{target.name}: {reason_of(error)}"
        again = self._given_up.again
        return None if again is None else (again.code, f"{target.name}: {again.reason}")


def what_is_kept(dead_letters: DeadLetters, clock: Callable[[], datetime]) -> kept.DeadLetters[KeptDeadLetter]:
    """Return what the command line and HTTP do with them in the same way."""

    async def drop(wanted: DeadLetterFilter, limit: int) -> list[str]:
        ids = [one.id for one in await dead_letters.find(wanted, limit)]
        await dead_letters.close(ids, "dropped", clock())
        return ids

    return kept.DeadLetters(dead_letters.find, dead_letters.whole, drop)


def redriven_as_json(done: Redriven) -> dict[str, Any]:
    """Return what became of a dead letter."""
    state = "redriven" if done.failure is None else "open"
    return {"id": done.dead_letter.id, "state": state, "reason": done.failure, "events": asdict(done.counts)}
