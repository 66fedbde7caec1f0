"""What is read from Kafka and written to it, as AsyncAPI 3."""

import re
from typing import Any

from notes_contracts import asyncapi as contract
from notes_query.projections import READ_MODELS
from notes_query.rebuilding.builds import group_of
from notes_query.settings import Settings


def asyncapi_document(settings: Settings, version: str) -> dict[str, Any]:
    """Return the document, with the topics' names as they are set."""
    operation = contract.Operation
    document = contract.asyncapi(
        "Notes: query-service",
        version,
        "Builds documents out of events. CloudEvents 1.0 over Kafka: attributes in headers, data as the value.",
        [
            operation(
                "receive",
                contract.EVENTS,
                settings.topic_events,
                "Folds them into the documents of their notes. Each build of a projector reads in a group of its own.",
                _example(settings.query_group, "notes", 1),
            ),
            operation(
                "receive",
                contract.OUTCOMES,
                settings.topic_outcomes,
                "Keeps them by command id.",
                settings.outcomes_group,
            ),
            operation(
                "send",
                contract.EVENT_DEAD_LETTERS,
                settings.topic_event_dead_letters,
                "Shows what could not be processed.",
            ),
        ],
    )
    document["operations"]["receiveEvents"]["bindings"]["kafka"]["groupId"] = _groups(settings.query_group)
    return document


def _example(prefix: str, projector: str, number: int) -> str:
    return group_of(
        prefix, {one.name: one.version for one in READ_MODELS.values() if one.projector == projector}, number
    )


def _groups(prefix: str) -> dict[str, Any]:
    """Return the schema of the names of the groups of all builds, each of which feeds read models of one projector."""
    projectors = sorted({read_model.projector for read_model in READ_MODELS.values()})
    return {
        "type": "string",
        # Written for every reader of patterns: some refuse an escaped hyphen.
        "pattern": f"^{re.escape(prefix).replace(chr(92) + '-', '-')}(-[a-z_]+-v[1-9][0-9]*)+-[1-9][0-9]*$",
        "description": f"`{prefix}-<read model>-v<version>-<build>`; a build of several read models names them all",
        "examples": [_example(prefix, projector, number) for number, projector in enumerate(projectors, 1)],
    }
