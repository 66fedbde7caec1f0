"""The channels: what is on each topic, in words, with the types of its messages."""

from dataclasses import dataclass
from typing import Final, Literal

from notes_contracts import messages
from notes_contracts.topics import (
    COMMAND_DEAD_LETTERS_TOPIC,
    COMMANDS_TOPIC,
    EVENT_DEAD_LETTERS_TOPIC,
    EVENTS_TOPIC,
    OUTCOMES_TOPIC,
    Topic,
)

Kind = Literal["Command", "Event", "Outcome", "DeadLetter"]


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic as AsyncAPI sees it. `name` is its key in the document; `types` are empty for dead letters."""

    name: str
    topic: Topic
    kind: Kind
    title: str
    description: str
    types: tuple[str, ...] = ()


COMMANDS: Final = Channel(
    "commands",
    COMMANDS_TOPIC,
    "Command",
    "Commands",
    "What upstream asks for. Structured mode (`content-type: application/cloudevents+json`) is read, too. The key is "
    "the note id in lower case, so that one note's commands keep their order.",
    tuple(messages.COMMANDS),
)
EVENTS: Final = Channel(
    "events",
    EVENTS_TOPIC,
    "Event",
    "Events",
    "What happened, kept for ever. A note's versions are dense: 1, 2, 3, …; repeats have the same `ce_id`. A reader "
    "ignores fields and types that it does not know.",
    tuple(messages.EVENTS),
)
OUTCOMES: Final = Channel(
    "outcomes",
    OUTCOMES_TOPIC,
    "Outcome",
    "Outcomes",
    "The answer to each command, one for each command id, sent again when the command comes again.",
    tuple(messages.OUTCOMES),
)
COMMAND_DEAD_LETTERS: Final = Channel(
    "commandDeadLetters",
    COMMAND_DEAD_LETTERS_TOPIC,
    "DeadLetter",
    "Dead letters of commands",
    "Records of the topic of commands that nobody could process: value, key and headers as they came, and why.",
)
EVENT_DEAD_LETTERS: Final = Channel(
    "eventDeadLetters",
    EVENT_DEAD_LETTERS_TOPIC,
    "DeadLetter",
    "Dead letters of events and outcomes",
    "Records of the topics of events and outcomes that the reader could not process: value, key and headers as they "
    "came, and why.",
)
