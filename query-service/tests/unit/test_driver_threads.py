"""Writers that hang, in MongoDB that reads but does not write, leave threads of the driver to readers and `/readyz`."""

import subprocess
import sys

import pytest

from notes_query.mongo import THREADS

ASKED = (
    "import notes_query.app, motor.frameworks.asyncio as motor; "  # as the service loads it
    "print(motor._EXECUTOR._max_workers)"
)


@pytest.mark.parametrize(("environment", "threads"), [({}, THREADS), ({"MOTOR_MAX_WORKERS": "7"}, 7)])
def test_motor_has_threads_enough_whatever_imports_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], threads: int
):
    monkeypatch.delenv("MOTOR_MAX_WORKERS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert int(found.stdout) == threads
