"""A coordinator that does not answer for the group is asked again; "nothing was committed" is another answer."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError
from aiokafka.protocol.commit import OffsetFetchResponse_v2, OffsetFetchResponse_v3
from aiokafka.structs import OffsetAndMetadata

from notes_chassis.kafka.aiokafka_internals import committed

LOADING, MOVED, FORBIDDEN = 14, 16, 30
FIRST = TopicPartition("events", 0)
COMMITTED = [("events", [(0, 7, "known", 0)])]


def consumer(*answers: Any) -> Any:
    """Return a consumer whose coordinator is aiokafka's, on connections that give these answers."""
    remaining = list(answers)

    async def send(node: int, request: Any, *, group: Any) -> Any:
        return remaining.pop(0)

    coordinator = object.__new__(GroupCoordinator)
    vars(coordinator).update(group_id="group", _retry_backoff_ms=0, _client=SimpleNamespace(send=send))
    coordinator.coordinator_id = 1
    coordinator.found = 0

    async def find() -> None:
        coordinator.found += coordinator.coordinator_id is None
        coordinator.coordinator_id = 1

    coordinator.ensure_coordinator_known = find
    coordinator.coordinator_dead = lambda: setattr(coordinator, "coordinator_id", None)
    return SimpleNamespace(_coordinator=coordinator)


@pytest.mark.parametrize(("code", "looks"), [(LOADING, 0), (MOVED, 1)])
@pytest.mark.parametrize(
    ("refused", "answered"),
    [
        (lambda code: OffsetFetchResponse_v2([], code), OffsetFetchResponse_v2(COMMITTED, 0)),
        (lambda code: OffsetFetchResponse_v3(0, [], code), OffsetFetchResponse_v3(0, COMMITTED, 0)),
    ],
)
async def test_a_coordinator_that_is_not_ready_is_asked_again(refused: Any, answered: Any, code: int, looks: int):
    asking = consumer(refused(code), refused(code), answered)
    assert await committed(asking, [FIRST]) == {FIRST: OffsetAndMetadata(7, "known")}
    assert asking._coordinator.found == 2 * looks


async def test_nothing_committed_is_an_answer():
    assert await committed(consumer(OffsetFetchResponse_v3(0, [("events", [(0, -1, "", 0)])], 0)), [FIRST]) == {}


async def test_a_group_that_is_forbidden_is_not_asked_for_again():
    with pytest.raises(GroupAuthorizationFailedError):
        await committed(consumer(OffsetFetchResponse_v3(0, [], FORBIDDEN)), [FIRST])


async def test_positions_of_a_new_assignment_wait_for_the_coordinator_too():
    asking, updated = consumer(OffsetFetchResponse_v3(0, [], LOADING), OffsetFetchResponse_v3(0, COMMITTED, 0)), []
    state = SimpleNamespace(update_committed=updated.append)
    assignment = SimpleNamespace(requesting_committed=lambda: [FIRST], state_value=lambda _: state)
    assert not await asking._coordinator._maybe_refresh_commit_offsets(assignment)
    assert updated == []
    assert await asking._coordinator._maybe_refresh_commit_offsets(assignment)
    assert updated == [OffsetAndMetadata(7, "known")]
