"""The errors of this service. Each kind says whether a retry helps. No text quotes a row or a record.

CommandServiceError
├── StoreError              PostgreSQL has not done what was asked
│   ├── Conflict            another transaction was faster: decide the whole batch again, now
│   ├── Unavailable         PostgreSQL is away, or its schema is unknown: retry the same batch later
│   │   ├── ConnectionLost  only this connection is lost: repeat on another one, now, if the work may be done twice
│   │   ├── ClocksDiffer    this machine's clock or PostgreSQL's is wrong by days: a person has to set it
│   │   └── Blocked         another session holds locks that the batch needs: store its partitions one by one
│   │       └── PartitionsBlocked   these partitions have to wait; the others are stored (pipeline/process.py)
│   └── BadRow              a value of the batch cannot be stored: a retry does not help, a smaller batch may
├── BadDeploy               so many handlers raise that the code must be wrong: deploy a better one
├── ProducerUnavailable     the relay has no producer: the rows stay in the outbox; retry later
├── TopicUnavailable        the gateway cannot reach Kafka: the client may send again under the same id
└── CommandTooLarge         the topic takes no record of this size: a retry does not help
"""


class CommandServiceError(Exception):
    """The base of all errors that this service raises by itself."""


class StoreError(CommandServiceError):
    """PostgreSQL has not done what was asked."""


class Conflict(StoreError):
    """Serialisation failure, deadlock, or a key that another transaction has just taken."""


class Unavailable(StoreError):
    """No connection, shutting down, out of resources, or a schema that this code does not know."""


class ConnectionLost(Unavailable):
    """The connection was closed, or its server is no longer the primary. A new connection may work."""


class ClocksDiffer(Unavailable):
    """The clock of this machine or that of PostgreSQL is wrong; the service cannot know which."""


class Blocked(Unavailable):
    """A lock was not free in time, or a statement took too long."""


class BadRow(StoreError):
    """PostgreSQL refuses a value."""


class BadDeploy(CommandServiceError):
    """So many commands fail by bugs that the code, not the commands, must be wrong. Nothing was stored."""


class ProducerUnavailable(CommandServiceError):
    """No broker answers, or none gives a producer id. Nothing was sent."""


class TopicUnavailable(CommandServiceError):
    """Kafka is away or too slow. The command may have arrived all the same."""


class CommandTooLarge(CommandServiceError):
    """The topic takes no record of this size."""
