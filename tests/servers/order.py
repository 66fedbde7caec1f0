"""The order in which workers run tests: long ones early, so that no worker is still busy when the others are done.

Each worker begins with a part of the tests that its servers can start beside, goes on with its share of the long
files, longest first, and ends with tests of a millisecond, which those who are done earlier take over.
"""

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

from tests.servers.no_sockets import is_unit

LONG: Final[dict[str, float]] = {
    "tests/web": 130,
    "tests/api/test_fuzz.py": 31,
    "chassis/tests/integration/test_consuming.py": 20,
    "tests/examples/test_upstreams.py": 37,
    "tests/stack/integration/test_command_line.py": 10,
    "query-service/tests/integration/test_crash_seams.py": 90,
    "tests/e2e/test_secured_kafka.py": 57,
    "tests/e2e/test_soak.py": 41,
    "command-service/tests/integration/test_kafka_crashes.py": 35,
    "command-service/tests/integration/test_unwritable_topics.py": 35,
    "query-service/tests/integration/live/test_many_waiting.py": 32,
    "query-service/tests/integration/test_process.py": 32,
    "tests/e2e/test_import.py": 26,
    "query-service/tests/integration/test_second_history.py": 26,
    "query-service/tests/integration/test_rebuild.py": 22,
    "tests/e2e/test_secrets.py": 21,
    "tests/e2e/test_access.py": 20,
    "query-service/tests/integration/test_two_releases.py": 19,
    "command-service/tests/integration/test_kafka_instances.py": 19,
    "query-service/tests/integration/test_verify.py": 19,
    "query-service/tests/integration/test_administration.py": 18,
    "tests/e2e/test_flood.py": 17,
    "query-service/tests/integration/live/test_changes.py": 16,
    "command-service/tests/integration/test_administration.py": 16,
    "query-service/tests/integration/test_mongo_away.py": 16,
    "query-service/tests/integration/failing/test_transient_errors.py": 15,
    "query-service/tests/integration/test_gaps.py": 14,
    "command-service/tests/integration/test_relay_order.py": 14,
    "command-service/tests/integration/test_dead_letter_crashes.py": 14,
    "command-service/tests/integration/test_watchdog.py": 14,
    "tests/e2e/test_release_before.py": 14,
    "query-service/tests/integration/failing/test_failover.py": 13,
    "query-service/tests/integration/test_undecodable.py": 13,
    "query-service/tests/integration/test_mongo_tls.py": 12,
    "query-service/tests/integration/test_after.py": 12,
    "tests/e2e/test_rebuild.py": 12,
    "command-service/tests/integration/test_previous_release.py": 11,
    "query-service/tests/integration/test_operate.py": 11,
    "command-service/tests/integration/test_relay_takeover.py": 11,
    "query-service/tests/integration/test_reads_without_kafka.py": 11,
    "command-service/tests/integration/test_destinations.py": 11,
    "query-service/tests/integration/live/test_changes_failing.py": 10,
    "query-service/tests/integration/test_two_instances.py": 10,
    "query-service/tests/integration/test_kafka_away.py": 9,
    "command-service/tests/integration/test_postgres_store.py": 9,
    "tests/e2e/test_readme.py": 9,
    "command-service/tests/integration/test_migrations.py": 8,
    "command-service/tests/integration/test_kafka_upstreams.py": 8,
    "query-service/tests/integration/test_projector.py": 8,
    "command-service/tests/integration/test_cli.py": 8,
}
"""Seconds that a file takes, or a folder whose tests share what they start. Nothing but the order depends on them."""
EACH_S: Final = 0.1
"""Of a test that is no unit test, in a file that is not named here."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) > 1:
        paths = [item.path.relative_to(config.rootpath) for item in items]
        items[:] = [items[number] for number in ordered(paths, workers)]


def ordered(paths: Sequence[Path], workers: int) -> list[int]:
    """Return the places of tests in the order in which they are to be run, given their files.

    xdist gives each worker an equal number of tests that follow one another (`--dist worksteal`).
    """
    short = [number for number, path in enumerate(paths) if is_unit(path.parent.parts)]
    rest = sorted(set(range(len(paths))) - set(short))
    groups = [(name, list(numbers)) for name, numbers in groupby(rest, lambda number: group(paths[number]))]
    weighed = sorted(((weight(*one), one[1]) for one in groups), key=lambda one: -one[0])
    shares: list[list[int]] = [[] for _ in range(workers)]
    busy_s = [0.0] * workers
    for takes_s, numbers in weighed:
        least = busy_s.index(min(busy_s))
        shares[least] += numbers
        busy_s[least] += takes_s
    found, left = list[int](), len(paths)
    for place, share in enumerate(shares):
        size = left // (workers - place)
        left -= size
        filler, short = short[: max(0, size - len(share))], short[max(0, size - len(share)) :]
        found += [*filler[: len(filler) // 2], *share, *filler[len(filler) // 2 :]]
    return found + short


def group(path: Path) -> str:
    """Return what is run by one worker in a row: a file, or a folder that is named here."""
    return next((str(folder) for folder in path.parents if str(folder) in LONG), str(path))


def weight(name: str, numbers: Sequence[int]) -> float:
    return LONG.get(name, EACH_S * len(numbers))
