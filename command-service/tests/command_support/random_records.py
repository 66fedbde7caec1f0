"""Records as careful, careless and broken upstreams send them, drawn from a source of chance."""

import json
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from uuid import UUID

from command_support.naive_notes import NaiveNotes, is_id

TAGS = [f"tag-{number}" for number in range(22)]
WORDS = ["", "a", "Grüße", "two words", "😀", " padded ", "x" * 200]
WEIGHTS = {
    "create": 4,
    "update": 4,
    "rename": 3,
    "tag": 6,
    "untag": 3,
    "archive": 1,
    "restore": 2,
    "delete": 0.5,
}


SEEDS = range(1, 6)
"""Of sequences that together reach everything, see test_random_records.py."""


@dataclass(frozen=True)
class Drawn:
    """A record; headers in a dict."""

    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


@dataclass
class RandomRecords:
    """Draws the next record, knowing what the model knows, so that much of it has an effect."""

    random: Random
    notes: list[str]
    model: NaiveNotes
    sent: list[Drawn] = field(default_factory=list)

    def next(self) -> Drawn:
        chance = self.random.random()
        drawn = self.good(self.random.choice(self.notes))
        if self.sent and chance < 0.12:
            drawn = self.random.choice(self.sent)
        elif self.sent and chance < 0.18:
            drawn = self.under_a_used_id(drawn)
        elif chance < 0.30:
            drawn = self.broken(drawn)
        self.sent.append(drawn)
        return drawn

    def good(self, note_id: str, command_id: str | None = None) -> Drawn:
        random, note = self.random, self.model.notes.get(note_id)
        (name,) = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if note is None and random.random() < 0.6:
            name = "create"
        data: dict[str, Any] = {"note_id": random.choice([note_id, note_id, note_id.upper()])}
        if name == "create":
            data |= {"title": random.choice(WORDS[1:]), "body": random.choice(WORDS)}
            data["tags"] = random.sample(TAGS, random.choice([0, 3, 18, 20, 20, 21, 22]))
            data["author"] = random.choice([None, "Ada"])
        elif random.random() < 0.4:
            version = note["version"] if note else 1
            data["expected_version"] = random.choice([None, version, version, version - 1, version + 1])
        if name == "update":
            data["body"] = random.choice(WORDS)
        if name == "rename":
            data["title"] = random.choice(WORDS[1:])
        if name in ("tag", "untag"):
            tag = random.choice(TAGS)
            data["tag"] = random.choice([tag, tag, tag.upper()])
        command_id = command_id or str(UUID(int=random.getrandbits(128)))
        headers = {"ce_id": command_id.encode(), "ce_type": f"notes.command.{name}-note.v1".encode()}
        return Drawn(note_id.encode(), json.dumps(data, ensure_ascii=False).encode(), headers)

    def under_a_used_id(self, otherwise: Drawn) -> Drawn:
        """Return another command under an id used before, with its key: which is first must not be left to Kafka."""
        before = self.random.choice(self.sent)
        key = (before.key or b"").decode()
        command_id = before.headers.get("ce_id", b"").decode()
        return self.good(key, command_id) if is_id(key) and is_id(command_id) else otherwise

    def broken(self, good: Drawn) -> Drawn:
        assert good.value is not None
        data, ce_id, ce_type = json.loads(good.value), good.headers["ce_id"], good.headers["ce_type"]
        changes: dict[str, Any] = self.random.choice(
            [
                {"value": None},
                {"value": good.value[:-1]},
                {"value": json.dumps({**data, "colour": "red"}).encode()},
                {"value": json.dumps({**data, "expected_version": "3"}).encode()},
                {"headers": {"ce_id": ce_id, "ce_type": b"notes.command.paint-note.v1"}},
                {"headers": {"ce_id": ce_id, "ce_type": ce_type[:-1] + b"2"}},
                {"headers": {"ce_id": ce_id}},
                {"headers": {"ce_type": ce_type}},
                {"key": self.random.choice(self.notes).encode()},
            ]
        )
        return replace(good, **changes)


def sequence(seed: int, length: int = 60, notes: int = 4) -> RandomRecords:
    """Return records drawn, already taken by their model; the notes are this seed's own."""
    records = RandomRecords(Random(seed), [str(UUID(int=seed << 64 | n)) for n in range(notes)], NaiveNotes())
    for _ in range(length):
        drawn = records.next()
        records.model.take(drawn.key, drawn.value, drawn.headers)
    return records
