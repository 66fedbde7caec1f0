"""Each side works without the other: from its wheel, the contracts, the chassis and the released golden messages.

`make alone` runs all its unit tests so, with libraries of its own; here they are borrowed, and no network is needed.
"""

import sysconfig
from pathlib import Path

import pytest

from tools.alone import SIDES, build, contract_tests, install, lay_out
from tools.alone import test as run


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheels") / "wheels")


@pytest.mark.timeout(300)
def test_each_side_reads_and_writes_the_released_messages_without_the_other(wheels: Path, tmp_path: Path) -> None:
    for side, other in SIDES.items():
        place = lay_out(side, tmp_path / side)
        assert not [path for path in place.rglob("*") if path.name in {f"{other}-service", f"notes_{other}", "src"}]
        python = install(side, place, wheels, Path(sysconfig.get_path("purelib")))
        assert run(side, place, python, contract_tests(side)) == 0


@pytest.mark.timeout(300)
def test_a_side_that_is_there_is_seen(wheels: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The look for the other side bites: here it is in the folder."""
    place = lay_out("command", tmp_path / "command")
    python = install("command", place, wheels, Path(sysconfig.get_path("purelib")))
    (place / "notes_query").mkdir()
    assert run("command", place, python, contract_tests("command")) == 1
    assert "['notes_command', 'notes_query'] can be imported, not notes_command alone" in capfd.readouterr().err
