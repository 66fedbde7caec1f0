"""Writers that hang, in MongoDB that reads but does not write, leave threads of the driver to readers and `/readyz`."""

import subprocess
import sys

import pytest

from notes_query.mongo import THREADS

SAY = "import motor.frameworks.asyncio as motor; print(motor._EXECUTOR._max_workers)"


@pytest.mark.parametrize(
    ("imported", "environment", "threads"),
    [
        ("notes_query.app", {}, THREADS),  # as the service loads it
        ("notes_query.mongo", {"MOTOR_MAX_WORKERS": "7"}, 7),
    ],
)
def test_motor_has_threads_enough_whatever_imports_it(
    monkeypatch: pytest.MonkeyPatch, imported: str, environment: dict[str, str], threads: int
):
    monkeypatch.delenv("MOTOR_MAX_WORKERS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    asked = f"import {imported}; {SAY}"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert int(found.stdout) == threads
