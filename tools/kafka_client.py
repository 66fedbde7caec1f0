"""How tools speak to Kafka: as the environment says it, with the names that the services' settings have."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WITH_PASSWORD = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def client_options(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what aiokafka's clients take. Raises ValueError, OSError: they cannot be made of it."""
    protocol = environment.get("NOTES_KAFKA_SECURITY_PROTOCOL") or "PLAINTEXT"
    options: dict[str, Any] = {"bootstrap_servers": environment["NOTES_KAFKA"], "security_protocol": protocol}
    if protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=environment.get("NOTES_KAFKA_SSL_CAFILE") or None)
    if protocol.startswith("SASL_"):
        mechanism = environment.get("NOTES_KAFKA_SASL_MECHANISM")
        if mechanism not in WITH_PASSWORD:
            raise ValueError(f"NOTES_KAFKA_SASL_MECHANISM is {mechanism}; tools can {', '.join(WITH_PASSWORD)}")
        file = environment.get("NOTES_KAFKA_PASSWORD_FILE")
        password = Path(file).read_text(encoding="utf-8").strip() if file else environment.get("NOTES_KAFKA_PASSWORD")
        options |= {
            "sasl_mechanism": mechanism,
            "sasl_plain_username": environment.get("NOTES_KAFKA_USERNAME") or "",
            "sasl_plain_password": password or "",
        }
    return options
