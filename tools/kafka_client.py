"""How tools speak to Kafka: as services do, by the same settings."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

_SIMPLE = re.compile(r"[\w.-]+:\d+(,[\w.-]+:\d+)*")


def client_options(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what aiokafka's clients take. Raises ValueError with a sentence: they cannot be made of it."""
    given = {name.removeprefix("NOTES_").lower(): value for name, value in environment.items() if value}
    if "kafka_security_protocol" not in given and _SIMPLE.fullmatch(given["kafka"]):
        return {"bootstrap_servers": given["kafka"]}  # the import below takes 0.3 s of CPU, at each start

    from notes_chassis.kafka.cluster import KafkaSettings  # noqa: PLC0415
    from notes_chassis.settings import SettingsError  # noqa: PLC0415

    try:
        ours = {name: value for name, value in given.items() if name.startswith(("kafka", "oidc"))}
        return KafkaSettings(**ours).cluster().client()  # type: ignore[arg-type]
    except ValidationError as errors:
        error = errors.errors(include_url=False, include_input=False, include_context=False)[0]
        where = "".join(f"NOTES_{name}: ".upper() for name in error["loc"][:1])
        raise ValueError(where + error["msg"].removeprefix("Value error, ")) from None
    except SettingsError as error:
        raise ValueError(str(error)) from None
