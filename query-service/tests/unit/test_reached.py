"""How far a note's entries go: runs of versions come to what the versions themselves come to."""

from random import Random

import pytest

from notes_query.projecting.pending import Reached


@pytest.mark.parametrize("seed", range(20))
def test_runs_come_to_what_the_single_versions_come_to(seed: int):
    random, reached = Random(seed), Reached()
    entered: set[int] = set()
    version = 0
    for _ in range(40):
        if random.random() < 0.1:
            jump = random.randrange(1, 40)
            version = max(version, jump)
            reached.jump(jump)
        else:
            first = random.randrange(1, 40)
            last = first + random.choice([0, 0, 0, 3])
            entered.update(range(first, last + 1))
            reached.enter(first, last)
        while version + 1 in entered:
            version += 1
        assert reached.version == version
        beyond = [at for first, last in reached.beyond for at in range(first, last + 1)]
        assert beyond == sorted(at for at in entered if at > version)


def test_a_long_history_is_one_run():
    reached = Reached()
    reached.enter_all(range(2, 200_000))
    reached.enter_all([200_000, 200_002])

    assert reached.beyond == [(2, 200_000), (200_002, 200_002)]
    reached.enter(1, 1)
    assert reached == Reached(200_000, [(200_002, 200_002)])
