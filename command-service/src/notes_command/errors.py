"""The ways in which the store fails."""


class StoreError(Exception):
    """The store did not do as asked. Each kind answers: will a retry help? Its text holds nothing of any row.

    StoreError
    ├── Conflict            somebody else was faster: decide the whole batch again, now
    ├── Unavailable         the store is away, or not as this code expects it: the same batch again, later
    │   ├── ConnectionLost  only this connection: what may be done twice is done again, now, on another
    │   └── Blocked         somebody holds what the batch needs: parts of it may go on, the rest later
    └── BadRow              something in the batch cannot be stored: a retry never helps, a smaller batch may
    """


class Conflict(StoreError):
    """Serialisation failure, deadlock, or a key that another transaction has just taken."""


class Unavailable(StoreError):
    """No connection, shutting down, out of resources, or a schema that this code does not know."""


class ConnectionLost(Unavailable):
    """The connection was closed, or its server is no longer the primary. A new one may well do."""


class Blocked(Unavailable):
    """A lock was not had in time, or a statement took too long."""


class BadRow(StoreError):
    """A value that the store refuses."""


class Unreachable(Exception):
    """There is no producer: no broker answers, or none gives us a producer id. Nothing was sent."""


class CommandTooLarge(Exception):
    """The topic takes no record of this size, however often it is sent."""


class TopicUnavailable(Exception):
    """Kafka is away or too slow. The command may or may not arrive: send it again under the same id."""
