"""The settings, with their defaults."""

from dataclasses import replace
from typing import Annotated, Self

from pydantic import Field, model_validator

from notes_chassis.http.limits import HttpLimits
from notes_chassis.kafka.cluster import KafkaSettings
from notes_chassis.settings import Host, LogLevel, Port, PostgresUrl, Text, ports_differ, read
from notes_contracts.topics import (
    COMMAND_DEAD_LETTERS_TOPIC,
    COMMANDS_TOPIC,
    EVENTS_TOPIC,
    OUTCOMES_TOPIC,
    Topic,
    TopicName,
    all_differ,
)


class Settings(HttpLimits, KafkaSettings):
    """Settings of the command-service, read once from `NOTES_<FIELD>`, or the file that `NOTES_<FIELD>_FILE` names."""

    postgres: PostgresUrl = "postgresql://notes:notes@127.0.0.1:5432/notes"

    command_host: Host = "127.0.0.1"
    command_port: Port = 8081
    command_ops_port: Port = 9081
    """The port of `/livez`, `/readyz` and `/metrics`, separate from the users' port. 0: any free port."""
    command_group: Text = "notes-command"

    topic_commands: TopicName = COMMANDS_TOPIC.name
    topic_events: TopicName = EVENTS_TOPIC.name
    topic_outcomes: TopicName = OUTCOMES_TOPIC.name
    topic_command_dead_letters: TopicName = COMMAND_DEAD_LETTERS_TOPIC.name

    command_batch: Annotated[int, Field(ge=1, le=5000)] = 500
    """Records of a transaction, at most."""
    command_log_level: LogLevel = "info"

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        all_differ(self)
        ports_differ(self, "command")
        return self

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics that this service reads and writes, with their promised configuration."""
        return (
            replace(COMMANDS_TOPIC, name=self.topic_commands),
            replace(EVENTS_TOPIC, name=self.topic_events),
            replace(OUTCOMES_TOPIC, name=self.topic_outcomes),
            replace(COMMAND_DEAD_LETTERS_TOPIC, name=self.topic_command_dead_letters),
        )


def read_settings() -> Settings:
    """Read the settings, and set up logging by them. Raises SettingsError."""
    return read(Settings, lambda settings: settings.command_log_level)
