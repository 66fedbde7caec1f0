"""The adapters and the state that a process has once, whatever it runs."""

import os
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from notes_chassis.health import Health
from notes_chassis.http.body import Places
from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.topic_state import TopicClient
from notes_chassis.process import TaskSupervisor
from notes_contracts.times import now
from notes_contracts.topics import PARTITIONS
from notes_query.live.remote_wakeups import MongoChanges, RemoteWakeups, owns_everything, owns_key
from notes_query.mongo.database import Database
from notes_query.monitoring import metrics
from notes_query.monitoring.feed_progress import Feeds
from notes_query.monitoring.lag import Freshness, ProgressStore
from notes_query.projecting.record_outcomes import KEPT, OutcomeStore, ReachedVersions
from notes_query.projecting.waiters import COMMANDS, level_of
from notes_query.projections.read_model import ProjectorName, ReadModel
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.topic_offsets import TopicOffsets
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.settings import Settings

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

ADMIN: Final = "notes.admin"
"""The scope of administration, here and at command-service."""
SERVED_NOTES: Final = "notes"
"""The read model that readers wait for: `min_version` and `Consistency` refer to it."""
STANDS_FOR: Final[Mapping[ProjectorName, str]] = {"notes": SERVED_NOTES, "background": "search"}
"""The read model whose build counts as its projector's: the projector's read models may be served from several."""


class Shared:
    """The adapters and the state that the parts of a process share; nothing is connected yet.

    `waiters`: readers that wait for documents, by read model, or for outcomes, under COMMANDS. `wakes` wakes them.
    `consumers`: the running ones, by group. `reached`: the versions of notes that readers get. `feeds`: watches what
    feeds the groups. `partitions`: how many the topic of events has, as of the last `ask_kafka`. `lag`: how fresh the
    served documents of each projector are. `tracing`: makes spans, None for no traces.
    """

    def __init__(
        self, settings: Settings, read_models: Mapping[str, ReadModel], tracing: "Tracing | None" = None
    ) -> None:
        self.settings = settings
        self.tracing = tracing
        self.read_models = read_models
        self.of_entries = [name for name, read_model in read_models.items() if read_model.entry is not None]
        self.instance = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self.health = Health(now)
        self.supervisor = TaskSupervisor(self.health, lambda task: metrics.TASK_FAILURES.labels(task).inc())
        self.cluster = settings.cluster()
        self.inquiry = TopicClient(self.cluster)
        self.topic = TopicOffsets(self.cluster, settings.topic_events)
        self.partitions = PARTITIONS
        self.database = Database(settings.mongo, settings.query_mongo_timeout_s)
        self.builds = BuildStore(self.database, read_models)
        self.served = ActiveBuilds()
        self.outcomes = OutcomeStore(self.database)
        self.dead_letters = DeadLetters(self.database)
        self.consumers: dict[str, BatchConsumer] = {}
        self.reached = ReachedVersions()
        self.wakes = self._wakes()
        self.waiters = {kind: wakes.waiters for kind, wakes in self.wakes.items()}
        for kind, waiters in self.waiters.items():
            metrics.WAITING.labels(kind).set_function(waiters.__len__)
        self.feeds = Feeds(ProgressStore(self.database))
        self.lag = {
            projector: Freshness(partial(self.served.group, name), lambda: self.partitions, now)
            for projector, name in STANDS_FOR.items()
        }

    async def ask_kafka(self) -> None:
        """Ask how many partitions the topic of events has. Raises as TopicClient; then the known number stays."""
        (topic,) = await self.inquiry.states([self.settings.topic_events])
        self.partitions = topic.partitions or self.partitions

    async def committed_by_served(self) -> Mapping[int, int]:
        """Return what the projector of the served notes has committed, by partition. Raises as its parts do."""
        return await self.topic.committed(self.served.build(SERVED_NOTES).group)

    def switched(self) -> None:
        """Let waiting readers follow the builds that are served now."""
        for name in self.read_models:
            self.wakes[name].switched()

    def _wakes(self) -> Mapping[str, RemoteWakeups]:
        """Return what wakes readers, by kind: this process for what it projects, change streams for the rest."""
        slot = Places(self.settings.http_waiting).one
        outcomes = MongoChanges(self.database, lambda: KEPT.collection, lambda _: 1)
        wakes = {COMMANDS: RemoteWakeups(outcomes, self._owns_outcome, self._woken(COMMANDS), slot)}
        for name in self.read_models:
            of_entries = name in self.of_entries
            collection = partial(self.served.collection, name)
            changes = MongoChanges(self.database, collection, level_of, of_entries=of_entries)
            owns = partial(self._owns_document, name)
            wakes[name] = RemoteWakeups(changes, owns, self._woken(name), slot)
        return wakes

    def _woken(self, kind: str) -> Callable[[float], None]:
        """Return the function that a woken reader calls with the seconds that it took to go on."""
        observe = metrics.WOKEN_SECONDS.labels(kind).observe
        tracing = self.tracing
        if tracing is None:
            return observe

        def woken(seconds: float) -> None:
            observe(seconds)
            tracing.woken(kind)

        return woken

    def _owns_document(self, name: str, key: str) -> bool:
        consumer = self.consumers.get(self.served.group(name) or "")
        return consumer is not None and owns_key(consumer, self.settings.topic_events, key)

    def _owns_outcome(self, _: str) -> bool:
        consumer = self.consumers.get(self.settings.outcomes_group)
        return consumer is not None and owns_everything(consumer, self.settings.topic_outcomes)
