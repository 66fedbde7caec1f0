"""What can be set from outside, and what it is when nobody sets it."""

from dataclasses import replace
from typing import Annotated, Self

from pydantic import Field, model_validator

from notes_chassis.http.limits import HttpLimits
from notes_chassis.kafka.cluster import KafkaSettings
from notes_chassis.settings import Host, HttpUrl, LogLevel, Port, Text, ports_differ, read
from notes_contracts.topics import EVENT_DEAD_LETTERS_TOPIC, EVENTS_TOPIC, OUTCOMES_TOPIC, Topic, TopicName, all_differ


class Settings(HttpLimits, KafkaSettings):
    """Settings of the query-service, read once from `NOTES_<FIELD>`, or the file that `NOTES_<FIELD>_FILE` names."""

    mongo: str = "mongodb://127.0.0.1:27017/notes?replicaSet=rs0"
    """The database is the URL's path; `notes` if it has none."""

    query_host: Host = "127.0.0.1"
    query_port: Port = 8080
    query_ops_port: Port = 9080
    """`/livez`, `/readyz` and `/metrics`, away from where users come in. 0: any free one."""
    query_client_id: Text | None = None
    """The name under which this service asks the issuer for a token of its own, to ask for snapshots."""
    query_client_secret: str = Field(default="", repr=False)
    query_group: Text = "notes-query"
    """What the names of the consumer groups begin with."""

    topic_events: TopicName = EVENTS_TOPIC.name
    topic_outcomes: TopicName = OUTCOMES_TOPIC.name
    topic_event_dead_letters: TopicName = EVENT_DEAD_LETTERS_TOPIC.name

    query_batch: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Records in one bulk write, at most."""
    query_mongo_timeout_s: Annotated[float, Field(gt=0)] = 5.0
    """Seconds after which an operation counts as failed; a reader is told 503 by then."""
    query_searches_at_once: Annotated[int, Field(ge=1)] = 2
    """Searches at work in this instance, at most; eight times as many may wait, the rest is told 429."""
    query_search_timeout_s: Annotated[float, Field(gt=0)] = 1.0
    """Seconds after which a search is given up; its reader is told 503."""
    query_lists_at_once: Annotated[int, Field(ge=1)] = 4
    """Pages of lists and counts of tags at work in this instance, at most; as many again of readers with `after`."""
    command_url: HttpUrl | None = None
    """Where command-service answers, `http://host:port`; None: readers who ask for it get what there is here."""
    query_write_store_timeout_s: Annotated[float, Field(gt=0)] = 1.0
    """Seconds that command-service has to answer."""
    query_missing_after_s: Annotated[float, Field(gt=0)] = 30.0
    """Seconds after an accepted outcome in which its version has to come; later it counts as missing."""
    query_ask_republish: bool = True
    """Whether command-service, if its address is set, is asked for a snapshot of notes with gaps older than 10 s."""
    query_streams: Annotated[int, Field(ge=1)] = 2_000
    """Streams of changes that one instance has open, at most."""
    query_log_level: LogLevel = "info"

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        all_differ(self)
        ports_differ(self, "query")
        return self

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics that this service reads and writes, as they should be."""
        return (
            replace(EVENTS_TOPIC, name=self.topic_events),
            replace(OUTCOMES_TOPIC, name=self.topic_outcomes),
            replace(EVENT_DEAD_LETTERS_TOPIC, name=self.topic_event_dead_letters),
        )

    @property
    def outcomes_group(self) -> str:
        """The consumer group that keeps outcomes."""
        return f"{self.query_group}-outcomes"


def read_settings() -> Settings:
    """Return the settings, with logging set up by them. Raises SettingsError."""
    return read(Settings, lambda settings: settings.query_log_level)
