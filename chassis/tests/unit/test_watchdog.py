"""An open transaction is told once it has been open for a while, and one that moves is not."""

from notes_chassis.kafka.watchdog import OPEN_S, OpenTransactions, Uncommitted


def test_what_does_not_move_is_told_with_its_records() -> None:
    now = 0.0
    transactions = OpenTransactions(lambda: now)
    seen = {3: Uncommitted(5, 9), 4: Uncommitted(1, 2)}
    assert transactions.diagnosis(seen) is None
    now = OPEN_S
    assert transactions.diagnosis({3: Uncommitted(5, 12), 4: Uncommitted(2, 3)}) == (
        "7 records wait behind an open transaction in partition 3, for 5 s"
    )
    assert transactions.diagnosis({}) is None
    assert transactions.diagnosis(seen) is None, "it is another one"


def test_a_transactional_upstream_at_work_is_not_told() -> None:
    now = 0.0
    transactions = OpenTransactions(lambda: now)
    for stable in range(50):
        assert transactions.diagnosis({0: Uncommitted(stable, stable + 1)}) is None
        now += OPEN_S - 1
