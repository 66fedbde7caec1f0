"""The language that both sides of Notes speak."""

from notes_contracts.cloudevents import Received, Written, headers_of, read, write
from notes_contracts.codes import HTTP_STATUS, Code
from notes_contracts.commands import Change, Command, CreateNote, UpdateNote
from notes_contracts.digest import digest_of
from notes_contracts.events import Event, NoteCreated, NoteUpdated
from notes_contracts.ids import note_id_of_command, parse_id
from notes_contracts.messages import COMMANDS, EVENTS, OUTCOMES, command_name, outcome_type, type_of
from notes_contracts.outcomes import Outcome, OutcomeError
from notes_contracts.partitioning import partition_of
from notes_contracts.times import cut_to_milliseconds, format_time, parse_time
from notes_contracts.topics import TOPICS, Topic

__all__ = [
    "COMMANDS",
    "EVENTS",
    "HTTP_STATUS",
    "OUTCOMES",
    "TOPICS",
    "Change",
    "Code",
    "Command",
    "CreateNote",
    "Event",
    "NoteCreated",
    "NoteUpdated",
    "Outcome",
    "OutcomeError",
    "Received",
    "Topic",
    "UpdateNote",
    "Written",
    "command_name",
    "cut_to_milliseconds",
    "digest_of",
    "format_time",
    "headers_of",
    "note_id_of_command",
    "outcome_type",
    "parse_id",
    "parse_time",
    "partition_of",
    "read",
    "type_of",
    "write",
]
