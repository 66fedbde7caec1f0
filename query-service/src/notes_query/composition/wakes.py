"""Who wakes waiting readers: the projector of this process for what it owns, change streams for the rest."""

from functools import partial

from notes_query.composition.shared import Shared
from notes_query.live.foreign_wakes import ForeignWakes, owns_everything, owns_key
from notes_query.live.stored_changes import MongoChanges
from notes_query.monitoring import metrics
from notes_query.projecting.waiters import level_of
from notes_query.projections import outcome


class Wakes:
    """One a process. `documents`: by read model. `all`: by what metrics call them; outcomes are `commands` there."""

    def __init__(self, shared: Shared) -> None:
        outcomes = MongoChanges(shared.database, lambda: outcome.KEPT.collection, lambda _: 1)
        self._shared = shared
        self.outcomes = ForeignWakes(outcomes, shared.outcome_waiters, self._owns_outcome)
        self.documents = {name: self._documents(name) for name in shared.read_models}
        self.all = {**self.documents, "commands": self.outcomes}
        for kind, one in self.all.items():
            metrics.WAITING.labels(kind).set_function(one.waiters.__len__)

    def _documents(self, name: str) -> ForeignWakes:
        shared = self._shared
        changes = MongoChanges(shared.database, lambda: shared.served.collection(name), level_of)
        return ForeignWakes(changes, shared.waiters[name], partial(self._owns_document, name))

    def switched(self) -> None:
        """Other builds are served."""
        for one in self.documents.values():
            one.switched()

    def reassigned(self, name: str) -> None:
        """Partitions of a read model's served build have come or gone."""
        self.documents[name].reassigned()

    def _owns_document(self, name: str, key: str) -> bool:
        """Say whether this process projects a document: `key` is the note's id, or begins with it."""
        served = self._shared.served.builds.get(name)
        consumer = None if served is None else self._shared.consumers.get(served.group)
        note_id = key.partition(":")[0]
        return consumer is not None and owns_key(consumer, self._shared.settings.topic_events, note_id)

    def _owns_outcome(self, _: str) -> bool:
        settings = self._shared.settings
        consumer = self._shared.consumers.get(settings.outcomes_group)
        return consumer is not None and owns_everything(consumer, settings.topic_outcomes)
