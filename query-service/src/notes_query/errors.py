"""Errors of this service. Each answers: will a retry help?

NotesQueryError
├── StoreUnavailable       MongoDB is away; the same again later will do
├── WriteStoreUnavailable  command-service did not answer; readers are given what there is here
├── Truncated              the topic no longer holds what comes next; no retry helps, readers start anew
├── Busy                   as many clients as this instance takes; later, or elsewhere
├── TopicUnavailable       Kafka does not say how far its topic is; the same again later will do
├── SendFailed             Kafka did not take a record; the same again later will do
├── BadDeploy              our own code fails on too much; a retry helps after the next deploy
├── Building               a read model is not complete yet; the same again later will do
├── DocumentRefused        MongoDB refuses what a record comes to; no retry helps, the record is dead-lettered
├── Undecodable            a record that cannot be read; no retry helps, it is dead-lettered
├── Refused                an operator's command that would do harm; the text says what has to be done first
└── InvalidCursor          the client's fault; no retry helps
"""

from notes_chassis.logs import kind_and_place
from notes_contracts import Code


class NotesQueryError(Exception):
    """Whatever this service raises on purpose."""


class StoreUnavailable(NotesQueryError):
    """The store cannot be reached, or cannot take writes now."""


class WriteStoreUnavailable(NotesQueryError):
    """Command-service did not answer in time, or not with what it promises."""


class Truncated(NotesQueryError):
    """Events that were to be read next are gone from the topic."""


class Busy(NotesQueryError):
    """This instance serves as many of these requests as it may."""


class TopicUnavailable(NotesQueryError):
    """Kafka cannot be asked, or has no such topic."""


class SendFailed(NotesQueryError):
    """Kafka did not acknowledge a record. `refused`: the record is at fault, and no retry will change that."""

    def __init__(self, error: str, *, refused: bool = False) -> None:
        super().__init__(error)
        self.refused = refused


class BadDeploy(NotesQueryError):
    """So many records fail for no known reason that it must be us. Consuming waits."""


class Building(NotesQueryError):
    """A read model is being built, and no build of it is served yet. `read_model` is its name."""

    def __init__(self, read_model: str) -> None:
        super().__init__(f"{read_model} is being built")
        self.read_model = read_model


class DocumentRefused(NotesQueryError):
    """The store refuses a document for what is in it. The text says in which code, and nothing of the document."""


class Undecodable(NotesQueryError):
    """A record that is neither an event nor an outcome; the text says why."""

    code = Code.UNDECODABLE


class InvalidCursor(NotesQueryError):
    """The text is not a cursor that this service has given out."""


class Refused(NotesQueryError):
    """What was asked would do harm, or cannot be done as things are; the text is a sentence for the operator."""


def reason_of(error: BaseException) -> str:
    """Return what may be said of an error in public: the texts of ours, of any other kind and place alone."""
    return f"{type(error).__name__}: {error}" if isinstance(error, NotesQueryError) else kind_and_place(error)
