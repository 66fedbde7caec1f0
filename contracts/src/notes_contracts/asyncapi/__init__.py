"""The AsyncAPI 3 document of a service, and a page of it.

Written from the contracts, not by FastStream: that knows the subscribers of its brokers alone. What is sent by a
producer of our own, the headers, the keys, the partitions and how long records are kept would all be missing.
"""

from notes_contracts.asyncapi.channels import COMMAND_DEAD_LETTERS, COMMANDS, EVENT_DEAD_LETTERS, EVENTS, OUTCOMES
from notes_contracts.asyncapi.document import Operation, asyncapi
from notes_contracts.asyncapi.page import page

__all__ = [
    "COMMANDS",
    "COMMAND_DEAD_LETTERS",
    "EVENTS",
    "EVENT_DEAD_LETTERS",
    "OUTCOMES",
    "Operation",
    "asyncapi",
    "page",
]
