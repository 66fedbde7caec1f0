"""What few processes need is imported by those alone: memory and time of all others."""

import json
import os
import subprocess
import sys

LOOK = """
import json, os, sys
from notes_chassis.tracing.start import start

def loaded(*names):
    return [name for name in sys.modules if name.startswith(names)][:3]

print("a command line", loaded("opentelemetry"))
import notes_chassis.access.authentication
print("without tokens", loaded("jwt", "cryptography"))
import notes_chassis.http.app, notes_chassis.kafka.consumer
for settings in json.loads(sys.argv[1]):
    os.environ.update(settings)
    made = start("notes", "1", lambda parent, state: (parent, state))
    heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf", "requests")
    print("without traces", loaded(*heavy), made)
    for name in settings:
        del os.environ[name]
"""
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
WITHOUT_TRACES = ({}, {ENDPOINT: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, {ENDPOINT: "x"})


def test_signatures_and_traces_are_loaded_by_those_who_want_them_alone() -> None:
    """Of the API for traces, FastAPI imports a part, whatever we do."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    look = [sys.executable, "-c", LOOK, json.dumps(WITHOUT_TRACES)]
    ran = subprocess.run(look, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert [line for line in ran.stdout.splitlines() if "no traces" not in line] == [
        "a command line []",
        "without tokens []",
        *["without traces [] None"] * len(WITHOUT_TRACES),
    ]
