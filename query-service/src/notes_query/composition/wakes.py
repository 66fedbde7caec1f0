"""Who wakes waiting readers: the projector of this process for what it owns, change streams for the rest."""

from collections.abc import Mapping
from functools import partial

from notes_chassis.kafka.consumer import BatchConsumer
from notes_query.live.foreign_wakes import ForeignWakes, owns_everything, owns_key
from notes_query.live.stored_changes import MongoChanges
from notes_query.mongo.database import Database
from notes_query.monitoring import metrics
from notes_query.projecting.waiters import level_of
from notes_query.projections import outcome
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.settings import Settings


class Wakes:
    """One a process. `documents`: by read model. `all`: by what metrics call them; outcomes are `commands` there.

    `consumers`: those at work in this process, by consumer group.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        served: ActiveBuilds,
        consumers: Mapping[str, BatchConsumer],
        read_models: Mapping[str, ReadModel],
    ) -> None:
        self._settings, self._database, self._served, self._consumers = settings, database, served, consumers
        outcomes = MongoChanges(database, lambda: outcome.KEPT.collection, lambda _: 1)
        self.outcomes = ForeignWakes(outcomes, self._owns_outcome, metrics.WOKEN_SECONDS.labels("commands").observe)
        self.documents = {name: self._documents(name) for name in read_models}
        self.all = {**self.documents, "commands": self.outcomes}
        for kind, one in self.all.items():
            metrics.WAITING.labels(kind).set_function(one.waiters.__len__)

    def _documents(self, name: str) -> ForeignWakes:
        changes = MongoChanges(self._database, lambda: self._served.collection(name), level_of)
        return ForeignWakes(changes, partial(self._owns_document, name), metrics.WOKEN_SECONDS.labels(name).observe)

    def switched(self) -> None:
        """Other builds are served."""
        for one in self.documents.values():
            one.switched()

    def reassigned(self, name: str) -> None:
        """Partitions of a read model's served build have come or gone."""
        self.documents[name].reassigned()

    def _owns_document(self, name: str, key: str) -> bool:
        """Say whether this process projects a document: `key` is the note's id, or begins with it."""
        served = self._served.builds.get(name)
        consumer = None if served is None else self._consumers.get(served.group)
        note_id = key.partition(":")[0]
        return consumer is not None and owns_key(consumer, self._settings.topic_events, note_id)

    def _owns_outcome(self, _: str) -> bool:
        consumer = self._consumers.get(self._settings.outcomes_group)
        return consumer is not None and owns_everything(consumer, self._settings.topic_outcomes)
