"""What a test is told about the servers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Servers:
    """Addresses as the services take them: host:port, a postgresql URL, a mongodb URL."""

    kafka: str
    postgres: str
    mongo: str
