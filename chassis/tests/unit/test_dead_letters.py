"""The command line of dead letters, and texts for a terminal."""

import argparse
import json
from typing import Any

import pytest

from notes_chassis.dead_letters import Position
from notes_chassis.dead_letters_cli import Grammar, add_arguments, missing, names_nothing, show, wanted
from notes_chassis.terminal import printable, shortened, table

SAID = Grammar("apply them again", "order", str.lower, str, "order-paid")


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser, SAID)
    return parser.parse_args(words)


@pytest.mark.parametrize("text", ["", "events", "events:1", ":1:2", "events:-1:2", "events:1:x", "events:1:²"])
def test_what_is_not_an_id_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a dead letter"):
        Position.parse(text)


@pytest.mark.parametrize(("text", "form"), [("a:b:03:4", "a:b:3:4"), ("t:0:1#ab", "t:0:1#ab")])
def test_an_id_has_one_form(text: str, form: str) -> None:
    assert str(Position.parse(text)) == form


def test_the_subject_is_the_services_own_option() -> None:
    assert wanted(parsed("drop", "--order", "ABC")).subject == "abc"


def test_a_change_says_to_what(capsys: Any) -> None:
    assert names_nothing(parsed("drop"))
    assert "--all" in capsys.readouterr().err
    assert not names_nothing(parsed("drop", "--all"))
    assert not names_nothing(parsed("redrive", "t:0:1"))


def test_what_is_missing_is_said(capsys: Any) -> None:
    assert missing(parsed("list", "t:0:1", "t:0:2"), ["t:0:1"])
    assert capsys.readouterr().err == "there is no dead letter t:0:2\n"
    assert not missing(parsed("list", "--limit", "1"), ["t:0:1"])
    assert "there may be more" in capsys.readouterr().err
    assert missing(parsed("drop", "--all"), [])
    assert not missing(parsed("list"), [])


def test_programs_get_json_and_people_text(capsys: Any) -> None:
    show(parsed("list", "--json"), {"a": 1}, "one")
    assert json.loads(capsys.readouterr().out) == {"a": 1}
    show(parsed("list"), {"a": 1}, "one")
    assert capsys.readouterr().out == "one\n"


def test_a_table_is_as_wide_as_what_is_in_it_and_moves_no_cursor() -> None:
    assert table(("id", "why"), [("1", None), ("long", "\x1b[2J")]) == "id    why\n1     -\nlong  \\x1b[2J"
    assert printable("a\n\x07", also="\n") == "a\n\\x07"
    assert shortened("abcdef", 4) == "abc…"
