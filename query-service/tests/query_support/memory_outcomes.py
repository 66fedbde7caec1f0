"""Outcomes."""

from collections.abc import Collection, Sequence
from copy import deepcopy

from notes_query.projecting.record_outcomes import OutcomeDocument


class MemoryOutcomes:
    """OutcomeStore."""

    def __init__(self) -> None:
        self.documents: dict[str, OutcomeDocument] = {}

    async def add(self, outcomes: Sequence[OutcomeDocument]) -> None:
        for outcome in outcomes:
            self.documents.setdefault(outcome["_id"], deepcopy(outcome))

    async def many(self, command_ids: Collection[str]) -> dict[str, OutcomeDocument]:
        return {id_: deepcopy(self.documents[id_]) for id_ in command_ids if id_ in self.documents}
