"""What can fail, and what helps. Each kind answers: will a retry help? No text holds anything of a row or a record.

CommandServiceError
├── StoreError              PostgreSQL did not do as asked
│   ├── Conflict            somebody else was faster: decide the whole batch again, now
│   ├── Unavailable         it is away, or not as this code expects it: the same batch again, later
│   │   ├── ConnectionLost  only this connection: what may be done twice is done again, now, on another
│   │   ├── ClocksDiffer    this machine's clock or PostgreSQL's is wrong by days: setting it helps
│   │   └── Blocked         somebody holds what the batch needs: parts of it may go on, the rest later
│   │       └── PartitionsBlocked   says which parts; the others are stored (pipeline/process.py)
│   └── BadRow              something in the batch cannot be stored: a retry never helps, a smaller batch may
├── BadDeploy               so many handlers raise that the code must be wrong: a better deploy helps
├── ProducerUnavailable     the relay has no producer: the rows stay in the outbox; again, later
├── TopicUnavailable        the gateway cannot reach Kafka: the client may send again under the same id
└── CommandTooLarge         the topic takes no record of this size: a retry never helps
"""


class CommandServiceError(Exception):
    """Whatever fails here in a way that the code knows."""


class StoreError(CommandServiceError):
    """PostgreSQL did not do as asked."""


class Conflict(StoreError):
    """Serialisation failure, deadlock, or a key that another transaction has just taken."""


class Unavailable(StoreError):
    """No connection, shutting down, out of resources, or a schema that this code does not know."""


class ConnectionLost(Unavailable):
    """The connection was closed, or its server is no longer the primary. A new one may well do."""


class ClocksDiffer(Unavailable):
    """One of the two clocks is wrong, and nobody here knows which."""


class Blocked(Unavailable):
    """A lock was not had in time, or a statement took too long."""


class BadRow(StoreError):
    """A value that the store refuses."""


class BadDeploy(CommandServiceError):
    """So many commands fail by bugs that the code, not the commands, must be wrong. Nothing was stored."""


class ProducerUnavailable(CommandServiceError):
    """No broker answers, or none gives us a producer id. Nothing was sent."""


class TopicUnavailable(CommandServiceError):
    """Kafka is away or too slow. The command may have arrived all the same."""


class CommandTooLarge(CommandServiceError):
    """The topic takes no record of this size, however often it is sent."""
