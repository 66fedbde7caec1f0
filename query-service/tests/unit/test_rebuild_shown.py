import io

import pytest
from query_support.fixtures import Samples

from notes_query.commands.builds import Shown, line, tell
from notes_query.commands.stores import chosen
from notes_query.errors import Refused
from notes_query.rebuilding.builds import Build, Move
from notes_query.rebuilding.rebuild import Built
from notes_query.rebuilding.switch_build import Switched


@pytest.fixture
def build(samples: Samples) -> Build:
    return Build(3, "notes", {"notes": 1}, "group", "building", {}, samples.start)


def test_progress_is_a_line_with_rate_and_time_left(build: Build):
    assert line(Built(build, 250, 1000, 50.0, 0)) == ("build 3 (notes): 25 %, 250 of 1000 events, 50/s, 15 s left")
    assert line(Built(build, 0, 1000, 0.0, 0)) == "build 3 (notes): 0 %, 0 of 1000 events, 0/s"
    assert line(Built(build, 0, 0, 0.0, 0)) == "build 3 (notes): 100 %, 0 of 0 events, 0/s"


def test_without_a_terminal_there_is_a_line_now_and_then(build: Build):
    out, now = io.StringIO(), 100.0
    shown = Shown(out, lambda: now)
    for seconds in range(11):
        now = 100.0 + seconds
        shown(Built(build, seconds, 10, 1.0, 0))

    assert [text.split(",")[0] for text in out.getvalue().splitlines()] == [
        f"build 3 (notes): {share} %" for share in (0, 50, 100)
    ]


def test_that_nobody_feeds_it_is_said(build: Build):
    out = io.StringIO()
    shown = Shown(out, lambda: 100.0)
    for unfed in (14.0, 15.0, 16.0):
        shown(Built(build, 0, 10, 0.0, unfed))

    assert out.getvalue().count("nobody has fed it for 15 s; is a projector running?") == 1


def test_read_models_are_those_that_there_are():
    assert chosen([], ["a", "b"]) == ["a", "b"]
    assert chosen(["b", "b"], ["a", "b"]) == ["b"]
    with pytest.raises(Refused, match="there is no read model c; there are a, b"):
        chosen(["c", "a"], ["a", "b"])


def test_what_is_moved_is_not_said_to_be_run_again(capsys: pytest.CaptureFixture[str]):
    moves = [Move("notes", 2, 1)]
    assert tell(Switched(moves, 0.5)) == 0
    assert tell(Switched(moves, None, "not every instance has followed yet: one")) == 3
    out, err = capsys.readouterr()

    assert out.count("notes: build 1 is served, 2 is kept and fed") == 2
    assert err.startswith("not every instance has followed yet: one. Look at `builds` before")
    assert "run it again" not in err
