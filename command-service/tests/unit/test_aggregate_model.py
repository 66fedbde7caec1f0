"""Any commands, in any batches, come to what a naive model says: notes, events, outcomes and dead letters."""

from collections import defaultdict
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from command_support.builders import NOW, new_id
from command_support.kafka_records import record
from command_support.naive_notes import NaiveNotes
from command_support.random_records import RandomRecords
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from notes_command.domain.events import Event
from notes_command.domain.note import Note
from notes_command.pipeline.decide import DecisionContext, Outcome, decide_batch
from notes_command.pipeline.decode import Envelope, decode
from notes_command.pipeline.rows import EVENT_TYPES

FIELDS = ("title", "body", "author", "status", "version")


class Notes(RuleBasedStateMachine):
    """Records arrive and wait; now and then those that wait are decided, as one batch."""

    def __init__(self) -> None:
        super().__init__()
        self.model = NaiveNotes()
        self.waiting: list[Envelope] = []
        self.notes: dict[str, Note] = {}
        self.known: dict[str, Outcome] = {}
        self.events: dict[str, list[Event]] = defaultdict(list)
        self.answers: list[Outcome] = []
        self.dead_letters: list[tuple[bytes | None, str]] = []
        self.now = NOW

    # Chance comes from a seed, not from hypothesis: what is shrunk are the steps, in seconds and not in minutes.
    @initialize(seed=st.integers(0, 2**32), notes=st.integers(1, 3))
    def begin(self, seed: int, notes: int) -> None:
        self.records = RandomRecords(Random(seed), [str(UUID(int=number + 1)) for number in range(notes)], self.model)

    @rule(count=st.integers(1, 6))
    def arrive(self, count: int) -> None:
        for _ in range(count):
            drawn = self.records.next()
            self.model.take(drawn.key, drawn.value, drawn.headers)
            headers = tuple(drawn.headers.items())
            self.waiting.append(decode(record(drawn.value, key=drawn.key, headers=headers)))

    @precondition(lambda self: self.waiting)
    @rule(seconds=st.integers(-3, 10))
    def decide(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        ids = {envelope.command_id for envelope in self.waiting}
        known = {id_: outcome for id_, outcome in self.known.items() if id_ in ids}
        result = decide_batch(self.waiting, DecisionContext(known, self.notes, self.now), new_id)
        assert not result.bugs
        assert not set(result.created) & set(self.notes)
        assert set(result.updated) <= set(self.notes)
        self.notes |= result.created | result.updated
        self.known |= {outcome.command_id: outcome for outcome in result.outcomes}
        for message in result.messages:
            if isinstance(message.content, Outcome):
                self.answers.append(message.content)
            else:
                self.events[message.content.note_id].append(message.content)
        self.dead_letters += [(dead_letter.source.value, dead_letter.code) for dead_letter in result.dead_letters]
        self.waiting = []

    @invariant()
    def agree(self) -> None:
        if self.waiting:
            return
        seen = {id_: {name: getattr(note, name) for name in FIELDS} for id_, note in self.notes.items()}
        assert {id_: {**note, "tags": list(self.notes[id_].tags)} for id_, note in seen.items()} == self.model.notes
        assert [as_naive(outcome) for outcome in self.answers] == self.model.answers
        assert self.dead_letters == self.model.dead_letters
        for note_id, told in self.events.items():
            assert [as_said(event) for event in told] == self.model.events[note_id]
            times = [event.occurred_at for event in told]
            assert times == sorted(times)
            assert (self.notes[note_id].created_at, self.notes[note_id].updated_at) == (times[0], times[-1])
        assert set(self.events) == set(self.model.events)

    def teardown(self) -> None:
        if self.waiting:
            self.decide(0)
            self.agree()


def as_naive(outcome: Outcome) -> dict[str, Any]:
    names = ("command_id", "note_id", "status", "code", "version", "digest")
    return {name: getattr(outcome, name) for name in names}


def as_said(event: Event) -> dict[str, Any]:
    names = [name for kind in type(event).__mro__ for name in getattr(kind, "__slots__", ())]
    said = {name: getattr(event, name) for name in names if name not in ("note_id", "occurred_at")}
    if "tags" in said:
        said["tags"] = list(said["tags"])
    return {"type": EVENT_TYPES[type(event)], **said}


TestNotes = Notes.TestCase
TestNotes.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
