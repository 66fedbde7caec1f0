"""What one process has once, whatever it runs."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from notes_chassis.health import Health
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.process import TaskSupervisor
from notes_contracts import cut_to_milliseconds
from notes_query.composition.wakes import Wakes
from notes_query.mongo.database import Database
from notes_query.monitoring import metrics
from notes_query.projecting.reached_versions import ReachedVersions
from notes_query.projecting.record_outcomes import OutcomeStore
from notes_query.projecting.waiters import Waiters
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.rebuilding.build_store import BuildStore, InstanceStore
from notes_query.rebuilding.topic_offsets import TopicOffsets
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.settings import Settings

SERVED_NOTES: Final = "notes"
"""The read model that readers wait for: `min_version` and `Consistency` speak of it."""


def now() -> datetime:
    """Return the time as every store holds it."""
    return cut_to_milliseconds(datetime.now(UTC))


def _instance() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"


@dataclass(slots=True)
class Shared:
    """The adapters and the state that several parts of a process share; nothing is connected yet.

    `waiters`: who waits for documents, by read model. `wakes` wakes them. `consumers`: those at work, by their group.
    `reached`: the versions of notes that readers get.
    """

    settings: Settings
    read_models: Mapping[str, ReadModel]
    cluster: Cluster = field(init=False)
    database: Database = field(init=False)
    topic: TopicOffsets = field(init=False)
    builds: BuildStore = field(init=False)
    instances: InstanceStore = field(init=False)
    outcomes: OutcomeStore = field(init=False)
    dead_letters: DeadLetters = field(init=False)
    supervisor: TaskSupervisor = field(init=False)
    instance: str = field(default_factory=_instance)
    health: Health = field(default_factory=lambda: Health(now))
    served: ActiveBuilds = field(default_factory=ActiveBuilds)
    wakes: Wakes = field(init=False)
    waiters: Mapping[str, Waiters] = field(init=False)
    outcome_waiters: Waiters = field(init=False)
    consumers: dict[str, BatchConsumer] = field(default_factory=dict)
    reached: ReachedVersions = field(default_factory=ReachedVersions)

    def __post_init__(self) -> None:
        self.supervisor = TaskSupervisor(self.health, lambda task: metrics.TASK_FAILURES.labels(task).inc())
        self.cluster = self.settings.cluster()
        self.database = Database(self.settings.mongo, self.settings.query_mongo_timeout_s)
        self.topic = TopicOffsets(self.cluster, self.settings.topic_events)
        self.builds = BuildStore(self.database, self.read_models)
        self.instances = InstanceStore(self.database)
        self.outcomes = OutcomeStore(self.database)
        self.dead_letters = DeadLetters(self.database)
        self.wakes = Wakes(self.settings, self.database, self.served, self.consumers, self.read_models)
        self.waiters = {name: one.waiters for name, one in self.wakes.documents.items()}
        self.outcome_waiters = self.wakes.outcomes.waiters

    async def committed_by_served(self) -> Mapping[int, int]:
        """Return what the projector of the served notes has committed, by partition. Raises as its parts do."""
        return await self.topic.committed(self.served.build(SERVED_NOTES).group)
