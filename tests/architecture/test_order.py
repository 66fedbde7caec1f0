"""Workers begin with what takes long: tests.servers.order."""

from pathlib import Path

from tests.servers.order import LONG, ordered
from tools.stack.folder import REPOSITORY

SLOW, QUICK, UNIT = max(LONG, key=LONG.__getitem__), "tests/api/test_pages.py", "web/tests/unit/test_x.py"


def test_every_file_that_takes_long_is_there() -> None:
    assert [name for name in LONG if not (REPOSITORY / name).exists()] == []


def test_each_worker_has_its_share_of_what_is_slow_and_units_before_and_after_it() -> None:
    paths = [Path(name) for name in [UNIT] * 8 + [QUICK] * 2 + [SLOW] * 2]
    places = ordered(paths, 2)
    assert sorted(places) == list(range(12))
    named = [{UNIT: "u", QUICK: "q", SLOW: "s"}[str(paths[place])] for place in places]
    assert "".join(named) == "uussuu" + "uuqquu"
    assert ordered(paths, 3)[:4] == [0, 10, 11, 1], "a share may be as long as a worker's part"
