"""A part is well or not, since when and why; the present state's beginning is what counts."""

from datetime import UTC, datetime, timedelta

import pytest

from notes_chassis.health import Health

START = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


class Clock:
    now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def health() -> Health:
    return Health(Clock())


def since(health: Health) -> datetime:
    return health.parts["one"].since


def test_since_is_the_first_moment_of_the_present_state(health: Health) -> None:
    health.report("one", ok=True)
    began = since(health)
    health.report("one", ok=True)
    assert since(health) == began
    health.report("one", ok=False, reason="away")
    fell = since(health)
    assert fell > began
    health.report("one", ok=False, reason="still away")
    assert (since(health), health.parts["one"].reason) == (fell, "still away")


def test_two_causes_do_not_contradict_each_other(health: Health) -> None:
    health.report("one", ok=False, reason="no topic", cause="topic")
    fell = since(health)
    for _ in range(3):
        health.report("one", ok=True, cause="batch")
        health.report("one", ok=False, reason="no topic", cause="topic")
    assert (since(health), health.parts["one"].ok) == (fell, False)
    health.report("one", ok=False, reason="no store", cause="batch")
    health.report("one", ok=True, cause="topic")
    assert (since(health), health.parts["one"].reason) == (fell, "no store")
    health.report("one", ok=True, cause="batch")
    assert health.as_json() == {"one": {"ok": True, "since": "2026-01-02T03:04:07.678Z"}}


def test_ready_is_what_is_needed_and_what_requests_would_run_into(health: Health) -> None:
    health.report("one", ok=False, reason="away")
    assert not health.ready(["two"]), "nobody has looked at it yet"
    health.report("two", ok=True)
    assert health.ready(["two"])
    assert not health.ready(["one"])
    health.report("two", ok=False, reason="bad code", unready=True)
    assert not health.ready([])


def test_a_report_says_whether_the_reason_of_its_cause_is_another_one(health: Health) -> None:
    assert not health.report("one", ok=True, cause="topic")
    assert health.report("one", ok=False, reason="no topic", cause="topic")
    assert not health.report("one", ok=False, reason="no topic", cause="topic")
    assert health.report("one", ok=False, reason="not allowed", cause="topic")
    assert not health.report("one", ok=True, cause="batch")
    assert health.report("one", ok=True, cause="topic")
