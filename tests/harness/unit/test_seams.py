"""Every place at which a test has a process killed is a coroutine method that is there, private ones too."""

import ast
import inspect
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.harness.crash import method_at

REPOSITORY = Path(__file__).parents[3]
PLACE = re.compile(r"notes_\w+(\.\w+)+:\w+\.\w+")
BEGIN = re.compile(r"""["']notes_""")
"""No other file is worth its parsing: a place begins with a package's name, however it is put together."""


def places_in(path: Path) -> Iterator[str]:
    """Give the places that a file of tests names, put together out of its constants too."""
    text, constants = path.read_text(), dict[str, Any]()
    for node in ast.walk(ast.parse(text)) if BEGIN.search(text) else ():
        with suppress(Exception):
            if isinstance(node, ast.Assign):
                exec(ast.unparse(node), constants)
            elif isinstance(node, ast.JoinedStr | ast.Constant) and PLACE.fullmatch(
                found := eval(ast.unparse(node), constants)
            ):
                yield found


FILES = [
    path for service in ("command", "query") for path in (REPOSITORY / f"{service}-service").glob("tests/**/test_*.py")
]
PLACES = sorted({place for path in FILES for place in places_in(path)})


@pytest.mark.parametrize("place", PLACES)
def test_a_seam_is_a_coroutine_method_that_is_there(place: str) -> None:
    assert inspect.iscoroutinefunction(getattr(*method_at(place)))


def test_seams_are_found_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "test_crashes.py").write_text("""
STORE = "notes_a.store:Store"
SEAMS = {"not stored": (f"{STORE}.save", "before")}

@pytest.mark.parametrize("place", [f"{STORE}.load", "notes_a.relay:Relay.send"])
def test_killed(place):
    where = "notes_a.relay:Relay._step"
""")
    assert sorted(places_in(tmp_path / "test_crashes.py")) == [
        *(
            "notes_a.relay:Relay._step",
            "notes_a.relay:Relay.send",
            "notes_a.store:Store.load",
            "notes_a.store:Store.save",
        )
    ]


def test_a_seam_that_is_gone_is_seen() -> None:
    with pytest.raises(AttributeError):
        method_at("notes_query.projecting.fold_store:FoldStore._gone")
