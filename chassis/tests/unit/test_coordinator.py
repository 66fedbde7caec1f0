"""A new cluster is ready for consumer groups before somebody consumes, so that a first start logs no error."""

from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError

from notes_chassis.kafka import topics


class Admin:
    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)

    async def find_coordinator(self, _: str) -> None:
        if answer := self.answers.pop(0):
            raise answer


async def test_a_coordinator_is_asked_for_until_there_is_one():
    admin: Any = Admin(GroupCoordinatorNotAvailableError(), GroupCoordinatorNotAvailableError(), None)
    await topics._wait_for_coordinator(admin)
    assert admin.answers == []


async def test_who_may_not_ask_goes_on():
    admin: Any = Admin(GroupAuthorizationFailedError(), None)
    await topics._wait_for_coordinator(admin)
    assert admin.answers == [None]


async def test_a_cluster_that_takes_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(topics, "COORDINATOR_S", 0.01)
    admin: Any = Admin(*[GroupCoordinatorNotAvailableError()] * 1000)
    await topics._wait_for_coordinator(admin)
    assert admin.answers
