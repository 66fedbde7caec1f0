"""Errors of this service. Each answers: will a retry help?

NotesQueryError
├── StoreUnavailable   MongoDB is away; the same again later will do
├── SendFailed         Kafka did not take a record; the same again later will do
├── BadDeploy          our own code fails on too much; a retry helps after the next deploy
├── Undecodable        a record that cannot be read; no retry helps, it is dead-lettered
└── InvalidCursor      the client's fault; no retry helps
"""

from notes_contracts import Code


class NotesQueryError(Exception):
    """Whatever this service raises on purpose."""


class StoreUnavailable(NotesQueryError):
    """The store cannot be reached, or cannot take writes now."""


class SendFailed(NotesQueryError):
    """Kafka did not acknowledge a record."""


class BadDeploy(NotesQueryError):
    """So many records fail for no known reason that it must be us. Consuming waits."""


class Undecodable(NotesQueryError):
    """A record that is no event and no outcome; the text says why."""

    code = Code.UNDECODABLE


class InvalidCursor(NotesQueryError):
    """The text is no cursor that this service has given out."""
