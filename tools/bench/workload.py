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
        last = {partition_of(record.key, PARTITIONS): record.key.decode() for record in self.records}
        return {note_id: self.expected[note_id][0] for note_id in last.values()}


class Author:
    """Makes workloads from a seed, with bodies of so many characters."""

    def __init__(self, seed: int, body_length: int = 300) -> None:
        self._random = random.Random(seed)  # noqa: S311 - data for a measurement
        self._length = body_length

    def write(self, count: int, every: int = 0, notes: list[str] | None = None) -> Workload:
        """Return creates; but one command in `every` updates the next of `notes`, which are at version 1."""
        made, notes = Workload(), list(notes or [])
        self._random.shuffle(notes)
        for number in range(count):
            body = self._body()
            command: Command
            if every and number % every == every - 1:
                note_id = notes[number // every % len(notes)]
                version = made.expected.get(note_id, (1,))[0] + 1
                command = UpdateNote(note_id=note_id, body=body)
            else:
                note_id, version, tags = self._new_id(), 1, tuple(self._random.sample(WORDS, 2))
                command = CreateNote(note_id=note_id, title=f"Note {number}", body=body, tags=tags)
            made.records.append(write(command, id=self._new_id()))
            made.expected[note_id] = (version, body)
        return made

    def _body(self) -> str:
        start, out, length = self._random.randrange(len(WORDS)), [f"{self._random.getrandbits(64):x}"], 0
        while length < self._length:
            out.append(WORDS[(start + length) % len(WORDS)])
            length += len(out[-1]) + 1
        return " ".join(out)[: self._length]

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))
