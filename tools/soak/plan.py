"""What is sent, and what must come of it: made from a seed, record by record, while it is published."""

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from notes_contracts import COMMANDS, Command, CreateNote, UpdateNote, Written, write
from tools.soak.rules import MOST_TAGS, Fate, State, decide

POISON: Final = 0.01
DUPLICATES: Final = 0.25
CREATES: Final = 0.05
REFUSED: Final = 0.05
IMPOSTORS: Final = 0.05
"""Of the duplicates: another command under a known id. The first wins."""
RESTORED: Final = 0.5
"""Of the changes of archived notes: what brings them back, so that not most of them are refused."""
KNOWING: Final = 0.3
"""Of the changes: those that name the version that they expect."""
FULL: Final = 0.05
"""Of the new notes: those with all the tags that fit."""
CHANGES: Final = {
    "update-note": 50,
    "rename-note": 15,
    "tag-note": 17,
    "untag-note": 8,
    "archive-note": 5,
    "restore-note": 3,
    "delete-note": 2,
}
"""How often each kind is among the changes, in per cent."""
TAGS: Final = tuple(f"tag-{number}" for number in range(2 * MOST_TAGS))
NOTES_AT_WORK: Final = 400
REPEATABLE: Final = 5000
"""How far back a duplicate may lie, in commands."""


@dataclass(slots=True)
class Plan:
    """Commands of a seed. `fates`, `notes` and the counts say what must come of the records taken so far."""

    commands: int
    seed: int
    fates: dict[str, Fate] = field(default_factory=dict)
    notes: dict[str, State] = field(default_factory=dict)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=NOTES_AT_WORK))
    duplicates: int = 0
    poison: int = 0
    _sent: deque[tuple[str, Written]] = field(default_factory=lambda: deque(maxlen=REPEATABLE))
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
                command, command_id = self._command(number), self._new_id()
                self.fates[command_id] = decide(self.notes, command)
                self._sent.append((command_id, write(command, id=command_id)))
                yield self._sent[-1][1]

    def _command(self, number: int) -> Command:
        drawn = self._random.random()
        if not self.recent or drawn < CREATES:
            self.recent.append(self._new_id())
            return self._create(self.recent[-1], number)
        note_id = self._random.choice(self.recent)
        return self._refused(note_id, number) if drawn < CREATES + REFUSED else self._change(note_id, number)

    def _create(self, note_id: str, number: int) -> CreateNote:
        count = MOST_TAGS if self._random.random() < FULL else self._random.randrange(4)
        author = f"Author {self._random.randrange(50)}" if self._random.random() < 0.5 else None
        tags = tuple(self._random.sample(TAGS, count))
        return CreateNote(note_id=note_id, title=f"Note {number}", tags=tags, author=author)

    def _change(self, note_id: str, number: int) -> Command:
        """Return a change, which the note's state may refuse, or which changes nothing."""
        state, draw = self.notes[note_id], self._random
        kind = draw.choices(list(CHANGES), list(CHANGES.values()))[0]
        if state.status == "archived" and draw.random() < RESTORED:
            kind = "restore-note"
        fields: dict[str, Any] = {
            "update-note": {"body": f"Body {number} " * draw.randint(1, 20)},
            "rename-note": {"title": f"Title {number}"},
            "tag-note": {"tag": draw.choice(TAGS)},
            "untag-note": {"tag": draw.choice(state.tags or TAGS)},
        }
        expected: dict[str, Any] = {"expected_version": state.version if draw.random() < KNOWING else None}
        return COMMANDS[f"notes.command.{kind}.v1"](note_id=note_id, **expected, **fields.get(kind, {}))

    def _refused(self, note_id: str, number: int) -> Command:
        drawn = self._random.random()
        if drawn < 0.4:
            return UpdateNote(note_id=self._new_id(), body="of nobody")
        if drawn < 0.6:
            return self._create(note_id, number)
        version = self.notes[note_id].version + 1000
        return UpdateNote(note_id=note_id, body="too late", expected_version=version)

    def _duplicate(self) -> Written:
        self.duplicates += 1
        command_id, record = self._random.choice(self._sent)
        if self._random.random() >= IMPOSTORS:
            return record
        return write(UpdateNote(note_id=record.key.decode(), body="an impostor's"), id=command_id)

    def _poison(self) -> Written:
        """Return one of: no command id, a value that is cut off, a type that nobody knows."""
        self.poison += 1
        command_id = self._new_id()
        good = write(UpdateNote(note_id=self._new_id(), body="poison"), id=command_id)
        kind = self._random.randrange(3)
        if kind == 0:
            return Written(good.key, json.dumps({"n": self.poison}).encode(), good.headers[:2])
        self.fates[command_id] = ("failed", None, "undecodable")
        if kind == 1:
            return Written(good.key, good.value[:-3], good.headers)
        unknown = {**dict(good.headers), "ce_type": b"notes.command.shred-note.v1"}
        return Written(good.key, good.value, tuple(unknown.items()))

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))
