"""What can be set from outside, and what it is when nobody sets it."""

import sys
from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from notes_chassis.http.limits import HttpLimits
from notes_command import logs
from notes_contracts.topics import COMMAND_DEAD_LETTERS_TOPIC, COMMANDS_TOPIC, EVENTS_TOPIC, OUTCOMES_TOPIC

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(HttpLimits):
    """Settings of the command-service, read once from environment variables named `NOTES_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="NOTES_", frozen=True, extra="ignore")

    kafka: str = "127.0.0.1:9092"
    """Bootstrap servers, `host:port`, separated by commas."""
    postgres: str = "postgresql://notes:notes@127.0.0.1:5432/notes"

    command_host: str = "127.0.0.1"
    command_port: Port = 8081
    command_group: str = "notes-command"

    topic_commands: str = COMMANDS_TOPIC.name
    topic_events: str = EVENTS_TOPIC.name
    topic_outcomes: str = OUTCOMES_TOPIC.name
    topic_command_dead_letters: str = COMMAND_DEAD_LETTERS_TOPIC.name

    command_batch: Annotated[int, Field(ge=1, le=5000)] = 500
    """Records in one transaction, at most."""
    kafka_session_ms: Annotated[int, Field(ge=6_000)] = 15_000
    """How long the group waits for a consumer that says nothing before its partitions go to another."""
    command_log_level: str = "info"


def read_settings() -> Settings | None:
    """Return the settings, with logging set up by them; None after saying what is wrong with the environment."""
    try:
        settings = Settings()
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            name = "_".join(map(str, error["loc"])).upper()
            print(f"NOTES_{name}: {error['msg']}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return None
    logs.configure(settings.command_log_level)
    return settings
