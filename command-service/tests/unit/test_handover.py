"""Rows go to the relay in memory only where nothing else can have to go before them."""

from collections.abc import Sequence

import pytest
from command_support.builders import TOPICS, new_id, updated_event

from notes_command.outbox import handover as module
from notes_command.outbox.handover import Handover
from notes_command.outbox.row import Found, OutboxRow, record_of
from notes_command.pipeline.rows import rows_of

SHARDS = range(12)


def rows(count: int = 2) -> list[OutboxRow]:
    return rows_of([updated_event(new_id()) for _ in range(count)], TOPICS)


class Setting:
    """Positions 1 to 9 are gone. The run begins at 10, and is proven."""

    def __init__(self, *, proven: int = 9) -> None:
        self.handover = Handover()
        self.next = 10
        self.offer()
        self.handover.take_server_change()
        self.read(proven)

    def offer(self, offered: Sequence[OutboxRow] | None = None, *, connections: int = 1, parked: bool = False) -> None:
        given = rows() if offered is None else offered
        first, self.next = self.next, self.next + len(given)
        self.handover.offer(connections, first, self.next - 1, given, parked=parked)

    def read(self, proven: int, *, whole: bool = True) -> None:
        self.handover.begin_read()
        self.handover.end_read(Found([], whole, proven))

    def taken(self) -> list[int] | None:
        found = self.handover.take(SHARDS)
        return None if found is None else [record.position for record in found]


def test_what_follows_what_the_relay_has_had_in_hand_is_taken_in_order_and_once() -> None:
    setting, offered = Setting(), rows(3)
    assert setting.taken() == []
    setting.offer(offered)
    setting.offer()
    found = setting.handover.take(SHARDS) or []
    assert found[:3] == [record_of(position, row) for position, row in zip((12, 13, 14), offered, strict=True)]
    assert [record.position for record in found] == [12, 13, 14, 15, 16]
    assert setting.taken() == []


def test_nothing_is_taken_before_the_first_offer_nor_before_a_proof_reaches_the_run() -> None:
    assert Handover().take(SHARDS) is None
    setting = Setting(proven=8)
    setting.offer()
    assert setting.taken() is None
    setting.read(8)
    assert setting.taken() is None
    setting.read(9)
    setting.offer()
    assert setting.taken() == [14, 15]


def test_a_position_of_somebody_else_ends_the_run_until_it_is_proven_and_read() -> None:
    setting = Setting()
    setting.next += 1
    setting.offer()
    assert setting.taken() is None, "12 is theirs, and may be of the same note"
    setting.read(11)
    assert setting.taken() is None, "12 may not be visible yet"
    setting.read(12)
    setting.offer()
    assert setting.taken() == [15, 16]


def test_a_position_of_somebody_else_among_ours_ends_the_run() -> None:
    setting = Setting()
    setting.handover.offer(1, 12, 14, rows(2), parked=False)
    setting.next = 15
    assert setting.taken() is None
    setting.offer()
    assert setting.taken() is None
    setting.read(14)
    setting.offer()
    assert setting.taken() == [17, 18]


@pytest.mark.parametrize("why", ["not offered", "parked", "too large"])
def test_what_cannot_wait_here_is_read_and_then_it_goes_on(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    setting.offer()
    if why == "not offered":
        setting.handover.require_read()
    elif why == "parked":
        setting.offer(parked=True)
    else:
        monkeypatch.setattr(module, "MAX_BYTES", 1)
        setting.offer()
        monkeypatch.undo()
    setting.offer()
    assert setting.taken() is None
    setting.read(0)
    begins = setting.next
    setting.offer()
    assert setting.taken() == [begins, begins + 1]


def test_after_a_failure_it_goes_on_once_everything_was_read_behind_a_proof() -> None:
    setting = Setting()
    setting.offer()
    assert setting.taken() == [12, 13]
    setting.handover.invalidate()
    setting.offer()
    assert setting.taken() is None
    setting.read(20, whole=False)
    assert setting.taken() is None, "some rows were not looked at"
    setting.read(9)
    setting.offer()
    assert setting.taken() == [16, 17]


def test_a_relay_that_is_behind_takes_what_waits_once_it_has_read_up_to_it() -> None:
    setting, offered = Setting(), rows(4)
    setting.offer(offered[:2])
    setting.offer(offered[2:])
    setting.handover.invalidate()
    setting.offer()
    for part in ((12, 13), (14,), (15,)):
        assert setting.taken() is None, "up to 15 it does not wait here"
        setting.handover.begin_read()
        setting.offer()
        read = [record_of(position, offered[position - 12]) for position in part]
        setting.handover.end_read(Found(read, whole=False, proven=9))
    assert setting.taken() == [16, 17, 18, 19, 20, 21, 22, 23]
    setting.offer()
    assert setting.taken() == [24, 25]


def test_a_relay_that_is_behind_takes_nothing_without_a_proof() -> None:
    setting, offered = Setting(proven=8), rows(2)
    setting.offer(offered)
    setting.handover.begin_read()
    setting.handover.end_read(Found([record_of(12, offered[0])], whole=False, proven=8))
    assert setting.taken() is None, "9 may come yet"


def test_what_waits_is_bounded_though_it_has_no_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    monkeypatch.setattr(module, "MAX_BYTES", 3 * module.ROW_BYTES)
    setting.offer([row._replace(payload=None) for row in rows(2)])
    setting.offer([row._replace(payload=None) for row in rows(2)])
    assert setting.taken() is None


def test_another_connection_may_be_another_server_on_which_nothing_is_proven() -> None:
    setting = Setting()
    assert not setting.handover.take_server_change()
    setting.handover.begin_read()
    setting.offer(connections=2)
    setting.handover.end_read(Found([], whole=True, proven=11))
    assert setting.taken() is None, "what was read and proven is the other server's"
    assert setting.handover.take_server_change()
    assert not setting.handover.take_server_change(), "said once"
    assert setting.taken() is None
    setting.read(9)
    setting.offer(connections=2)
    assert setting.taken() is None, "what was before the run is unknown"
    setting.read(11)
    setting.offer(connections=2)
    assert setting.taken() == [16, 17]


def test_positions_that_were_there_before_are_of_another_server() -> None:
    setting = Setting()
    setting.next = 10
    setting.offer()
    assert (setting.taken(), setting.handover.take_server_change()) == (None, True)


def test_what_was_committed_while_the_relay_read_is_sent_once() -> None:
    setting, offered = Setting(), rows(4)
    setting.handover.begin_read()
    setting.offer(offered[:2])
    setting.offer(offered[2:])
    seen = [record_of(position, row) for position, row in zip((12, 13), offered, strict=False)]
    setting.handover.end_read(Found(seen, whole=True, proven=0))
    assert setting.taken() == [14, 15]


def test_rows_of_shards_that_another_relay_has_are_left_to_it() -> None:
    setting, offered = Setting(), rows(20)
    setting.offer(offered)
    own = offered[0].shard
    found = setting.handover.take({own}) or []
    assert {record.partition for record in found} == {own}
    assert len(found) == sum(row.shard == own for row in offered)


def test_the_age_of_what_was_taken_is_that_of_the_first_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    for now in (100.0, 200.0):
        monkeypatch.setattr(module.time, "monotonic", lambda now=now: now)
        setting.offer()
    setting.taken()
    assert setting.handover.oldest == 100.0
    setting.offer()
    setting.taken()
    assert setting.handover.oldest == 200.0
