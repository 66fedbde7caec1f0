"""What is sent, and what must come of it: made from a seed, record by record, while it is published."""

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from notes_contracts import Change, Command, CreateNote, RenameNote, UpdateNote, Written, write

DUPLICATES: Final = 0.25
POISON: Final = 0.01
CREATES: Final = 0.05
REFUSED: Final = 0.05
IMPOSTORS: Final = 0.05
"""Of the duplicates: another command under a known id. The first wins."""
NOTES_AT_WORK: Final = 400
REPEATABLE: Final = 5000
"""How far back a duplicate may lie, in commands."""
UNDECODABLE: Final = ("failed", None, "undecodable")

Fate = tuple[str, int | None, str | None]
"""Status, version and code of an outcome."""


@dataclass(slots=True)
class State:
    """A note as it must be in the end."""

    version: int
    title: str
    body: str


@dataclass(slots=True)
class Plan:
    """Commands of a seed. `fates`, `notes` and the counts say what must come of the records taken so far."""

    commands: int
    seed: int
    fates: dict[str, Fate] = field(default_factory=dict)
    notes: dict[str, State] = field(default_factory=dict)
    duplicates: int = 0
    poison: int = 0
    _sent: deque[tuple[str, Written]] = field(default_factory=lambda: deque(maxlen=REPEATABLE))
    _recent: deque[str] = field(default_factory=lambda: deque(maxlen=NOTES_AT_WORK))
    _random: random.Random = field(default_factory=random.Random)

    def records(self) -> Iterator[Written]:
        """Yield the records in the order in which they have to reach Kafka."""
        self._random.seed(self.seed)
        for number in range(self.commands):
            drawn = self._random.random()
            if drawn < POISON:
                yield self._poison()
            elif drawn < POISON + DUPLICATES and self._sent:
                yield self._duplicate()
            else:
                yield self._command(number)

    def _command(self, number: int) -> Written:
        drawn = self._random.random()
        if not self._recent or drawn < CREATES:
            return self._create(number)
        if drawn < CREATES + REFUSED:
            return self._refused()
        return self._change(number)

    def _create(self, number: int) -> Written:
        note_id = self._new_id()
        self._recent.append(note_id)
        self.notes[note_id] = State(1, f"Note {number}", "")
        return self._keep(CreateNote(note_id=note_id, title=f"Note {number}"), ("accepted", 1, None))

    def _change(self, number: int) -> Written:
        note_id = self._random.choice(self._recent)
        state = self.notes[note_id]
        state.version += 1
        message: Change
        if self._random.random() < 0.2:
            state.title = f"Title {number}"
            message = RenameNote(note_id=note_id, title=state.title)
        else:
            state.body = f"Body {number} " * self._random.randint(1, 20)
            message = UpdateNote(note_id=note_id, body=state.body)
        return self._keep(message, ("accepted", state.version, None))

    def _refused(self) -> Written:
        if self._random.random() < 0.5:
            message = UpdateNote(note_id=self._new_id(), body="of nobody")
            return self._keep(message, ("rejected", None, "note_not_found"))
        note_id = self._random.choice(self._recent)
        message = UpdateNote(note_id=note_id, body="too late", expected_version=self.notes[note_id].version + 1000)
        return self._keep(message, ("rejected", None, "version_conflict"))

    def _duplicate(self) -> Written:
        self.duplicates += 1
        command_id, record = self._random.choice(self._sent)
        if self._random.random() >= IMPOSTORS:
            return record
        return write(UpdateNote(note_id=record.key.decode(), body="an impostor's"), id=command_id)

    def _poison(self) -> Written:
        """Return one of: a value that is cut off, a type that nobody knows, no command id."""
        self.poison += 1
        command_id, note_id = self._new_id(), self._new_id()
        good = write(UpdateNote(note_id=note_id, body="poison"), id=command_id)
        kind = self._random.randrange(3)
        if kind == 0:
            self.fates[command_id] = UNDECODABLE
            return Written(good.key, good.value[:-3], good.headers)
        if kind == 1:
            self.fates[command_id] = UNDECODABLE
            changed = {**dict(good.headers), "ce_type": b"notes.command.shred-note.v1"}
            return Written(good.key, good.value, tuple(changed.items()))
        return Written(good.key, json.dumps({"n": self.poison}).encode(), good.headers[:2])

    def _keep(self, message: Command, fate: Fate) -> Written:
        command_id = self._new_id()
        record = write(message, id=command_id)
        self.fates[command_id] = fate
        self._sent.append((command_id, record))
        return record

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))
