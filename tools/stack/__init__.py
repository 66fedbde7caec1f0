"""Kafka, PostgreSQL, MongoDB and both services on this machine, with or without Docker."""
