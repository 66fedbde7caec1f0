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
    Outcome,
    OutcomeError,
)
from notes_contracts.ids import note_id_of_command, parse_id, random_id, snapshot_id
from notes_contracts.messages import COMMANDS, EVENTS, OUTCOMES, command_name, digest_of, outcome_type, type_of
from notes_contracts.times import cut_to_milliseconds, format_time, parse_time
from notes_contracts.topics import TOPICS, Topic, partition_of
from notes_contracts.validation import FieldFault, InvalidData, NotJson, validate

__all__ = ["ArchiveNote", "Change", "Command", "CreateNote", "DeleteNote", "RenameNote", "RestoreNote", "TagNote"]
__all__ += ["Event", "NoteArchived", "NoteCreated", "NoteDeleted", "NoteRenamed", "NoteRestored", "NoteSnapshotted"]
__all__ += ["NoteTagged", "NoteUntagged", "NoteUpdated", "Outcome", "OutcomeError", "UntagNote", "UpdateNote"]
__all__ += [
    "COMMANDS",
    "EVENTS",
    "OUTCOMES",
    "TOPICS",
    "Topic",
    "command_name",
    "outcome_type",
    "partition_of",
    "type_of",
]
__all__ += ["Received", "Written", "digest_of", "headers_of", "read", "type_of", "write"]
__all__ += ["HTTP_STATUS", "Code", "FieldFault", "InvalidData", "NotJson", "random_id", "snapshot_id", "validate"]
__all__ += [
    "cut_to_milliseconds",
    "format_time",
    "note_id_of_command",
    "parse_id",
    "parse_time",
    "random_id",
    "snapshot_id",
]
