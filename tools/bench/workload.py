"""Commands to send, and what a reader must find when all of them have been carried out."""

import random
from dataclasses import dataclass, field
from uuid import UUID

from notes_contracts import Command, CreateNote, UpdateNote, Written, partition_of, write
from notes_contracts.topics import PARTITIONS

TEXT = "the quick brown fox jumps over a lazy dog while seven wizards boil some jam in kettles"
WORDS = TEXT.split()


@dataclass(slots=True)
class Workload:
    """Records in order. `expected`: version and body of every note that they touch, when all is done."""

    records: list[Written] = field(default_factory=list)
    expected: dict[str, tuple[int, str]] = field(default_factory=dict)

    def last_notes(self) -> dict[str, int]:
        """Return note and version after the last record of each partition: when these are visible, all are."""
        last: dict[int, str] = {}
        for record in self.records:
            last[partition_of(record.key, PARTITIONS)] = record.key.decode()
        return {note_id: self.expected[note_id][0] for note_id in last.values()}


class Author:
    """Makes workloads from a seed."""

    def __init__(self, seed: int, body_length: int = 300) -> None:
        self._random = random.Random(seed)  # noqa: S311 - data for a measurement
        self._length = body_length

    def creates(self, count: int) -> Workload:
        """Return commands that create as many notes."""
        made = Workload()
        for number in range(count):
            self._create(made, number)
        return made

    def mixed(self, count: int, stored: Workload) -> Workload:
        """Return half creates, half updates of notes already stored."""
        known = list(stored.expected)
        self._random.shuffle(known)
        return self._updating(count, stored, known, every=2)

    def hot(self, count: int, stored: Workload) -> Workload:
        """Return creates, with every tenth command for one and the same note."""
        return self._updating(count, stored, list(stored.expected)[:1], every=10)

    def _updating(self, count: int, stored: Workload, notes: list[str], every: int) -> Workload:
        made = Workload()
        for number in range(count):
            if number % every == every - 1:
                self._update(made, notes[number // every % len(notes)], stored)
            else:
                self._create(made, number)
        return made

    def _create(self, made: Workload, number: int) -> None:
        note_id, body = self.new_id(), self._body()
        tags = tuple(self._random.sample(WORDS, 2))
        self._add(made, CreateNote(note_id=note_id, title=f"Note {number}", body=body, tags=tags))
        made.expected[note_id] = (1, body)

    def _update(self, made: Workload, note_id: str, stored: Workload) -> None:
        body = self._body()
        version = made.expected.get(note_id, stored.expected[note_id])[0] + 1
        self._add(made, UpdateNote(note_id=note_id, body=body))
        made.expected[note_id] = (version, body)

    def _add(self, made: Workload, command: Command) -> None:
        made.records.append(write(command, id=self.new_id()))

    def _body(self) -> str:
        start, out, length = self._random.randrange(len(WORDS)), [f"{self._random.getrandbits(64):x}"], 0
        while length < self._length:
            out.append(WORDS[(start + length) % len(WORDS)])
            length += len(out[-1]) + 1
        return " ".join(out)[: self._length]

    def new_id(self) -> str:
        """Return a UUID of version 4."""
        return str(UUID(int=self._random.getrandbits(128), version=4))
