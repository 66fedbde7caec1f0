"""The command line's grammar: what is asked for, and a sentence for everything that cannot be meant."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from notes_chassis.dead_letters import DeadLetterFilter, Position
from notes_chassis.dead_letters_cli import wanted
from notes_command.__main__ import COMMANDS
from notes_command.cli import parser
from notes_command.dead_letters.dead_letter import full_type, short_type

NOTE = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
UPDATE = "notes.command.update-note.v1"


def asked(*words: str) -> DeadLetterFilter:
    return wanted(parser().parse_args(["dead-letters", *words]))


def test_every_command_of_the_grammar_is_one_that_is_there() -> None:
    (subparsers,) = [action for action in parser()._actions if action.dest == "command"]
    assert subparsers.choices is not None
    assert set(subparsers.choices) == set(COMMANDS)


def test_every_filter_arrives() -> None:
    filters = ["--since", "2026-01-02T03:04:05Z", "--until", "2026-01-03", "--reason", "internal"]
    assert asked(
        "list", *filters, "--note", NOTE.upper(), "--type", "update-note", "--state", "dropped"
    ) == DeadLetterFilter(
        since=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        until=datetime(2026, 1, 3, tzinfo=UTC),
        reason="internal",
        subject=NOTE,
        type=UPDATE,
        state="dropped",
    )


def test_open_ones_are_meant_unless_ids_or_all_states_are_named() -> None:
    assert asked("list").state == "open"
    assert asked("redrive", "--all").state == "open"
    assert asked("list", "--state", "all").state is None
    assert asked("redrive", "t:0:1#ab", "a:b:3:17") == DeadLetterFilter(
        ids=(Position("t", 0, 1, "ab"), Position("a:b", 3, 17)), state=None
    )


def test_a_time_without_a_zone_is_utc_and_others_are_kept() -> None:
    assert asked("list", "--since", "2026-01-02 03:04").since == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    moment = asked("list", "--until", "2026-01-02T03:04:05+02:00").until
    assert moment == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["show", "notes.commands"],
            "'notes.commands' is not the id of a dead letter; it looks like topic:3:17",
        ),
        (["show", "t:x:1"], "'t:x:1' is not the id of a dead letter"),
        (["show", ":0:1"], "':0:1' is not the id of a dead letter"),
        (["show", "t:0:-1"], "'t:0:-1' is not the id of a dead letter"),
        (["show", "t:0:¹"], "is not the id of a dead letter"),
        (["show", f"t:{2**31}:1"], "is not the id of a dead letter"),
        (["show", f"t:0:{2**63}"], "is not the id of a dead letter"),
        (["show"], "the following arguments are required: ID"),
        (["redrive", "12"], "'12' is not the id of a dead letter"),
        (["list", "--since", "yesterday"], "'yesterday' is not a time such as 2026-01-02T03:04:05Z"),
        (["drop", "--until", "2026-13-01"], "'2026-13-01' is not a time such as"),
        (["list", "--note", "12"], "'12' is not a UUID"),
        (["list", "--reason", "invalid"], "invalid choice: 'invalid'"),
        (["list", "--state", "lost"], "invalid choice: 'lost'"),
        (["list", "--limit", "0"], "'0' is not a number above 0"),
        (["list", "--limit", "1e3"], "'1e3' is not a number above 0"),
        (["list", "--all"], "unrecognized arguments: --all"),
        (["drop", "--force", "--all"], "unrecognized arguments: --force"),
        ([], "the following arguments are required: action"),
    ],
)
def test_what_cannot_be_meant_is_named_and_the_exit_code_is_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser().parse_args(["dead-letters", *words])
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "many"])
def test_a_rate_is_a_number_above_0(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["republish", "--all", "--per-second", rate])
    assert f"{rate!r} is not a number of notes a second" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["update-note", "a.b", "notes.command.update-note.v2", "notes.command.a.b.v1", "v1", ""]
)
def test_a_short_type_means_what_it_is_short_for(name: str) -> None:
    assert full_type(short_type(full_type(name))) == full_type(name)


def test_only_our_own_types_are_shortened() -> None:
    assert short_type(UPDATE) == "update-note"
    assert short_type("notes.command.update-note.v2") == "notes.command.update-note.v2"
    assert short_type("com.example.thing") == "com.example.thing"
