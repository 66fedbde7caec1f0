"""The language that both sides of Notes speak."""

from notes_contracts.cloudevents import Received, Written, headers_of, read, write
from notes_contracts.codes import HTTP_STATUS, Code
from notes_contracts.commands import (
    ArchiveNote,
    Change,
    Command,
    CreateNote,
    DeleteNote,
    RenameNote,
    RestoreNote,
    TagNote,
    UntagNote,
    UpdateNote,
)
from notes_contracts.digest import digest_of
from notes_contracts.events import (
    Event,
    NoteArchived,
    NoteCreated,
    NoteDeleted,
    NoteRenamed,
    NoteRestored,
    NoteSnapshotted,
    NoteTagged,
    NoteUntagged,
    NoteUpdated,
)
from notes_contracts.ids import note_id_of_command, parse_id, random_id, snapshot_id
from notes_contracts.messages import COMMANDS, EVENTS, OUTCOMES, command_name, outcome_type, type_of
from notes_contracts.outcomes import Outcome, OutcomeError
from notes_contracts.partitioning import partition_of
from notes_contracts.times import cut_to_milliseconds, format_time, parse_time
from notes_contracts.topics import TOPICS, Topic
from notes_contracts.validation import FieldFault, InvalidData, NotJson, validate

__all__ = [
    "COMMANDS",
    "EVENTS",
    "HTTP_STATUS",
    "OUTCOMES",
    "TOPICS",
    "ArchiveNote",
    "Change",
    "Code",
    "Command",
    "CreateNote",
    "DeleteNote",
    "Event",
    "FieldFault",
    "InvalidData",
    "NotJson",
    "NoteArchived",
    "NoteCreated",
    "NoteDeleted",
    "NoteRenamed",
    "NoteRestored",
    "NoteSnapshotted",
    "NoteTagged",
    "NoteUntagged",
    "NoteUpdated",
    "Outcome",
    "OutcomeError",
    "Received",
    "RenameNote",
    "RestoreNote",
    "TagNote",
    "Topic",
    "UntagNote",
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
    "random_id",
    "read",
    "snapshot_id",
    "type_of",
    "validate",
    "write",
]
