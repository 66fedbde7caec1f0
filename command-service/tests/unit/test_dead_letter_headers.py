"""The headers of a dead letter survive the column that they are kept in, and say why."""

from command_support.builders import dead_letter, new_id, source
from hypothesis import given
from hypothesis import strategies as st

from notes_command.outbox.row import pack_headers, unpack_headers
from notes_command.pipeline.rows import dead_letter_row

PAIRS = st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.none() | st.binary()))


@given(PAIRS)
def test_any_headers_come_back(pairs: list[tuple[str, bytes | None]]) -> None:
    assert unpack_headers(pack_headers(pairs)) == pairs


def test_headers_of_an_earlier_life_are_replaced_not_stacked() -> None:
    earlier = (("dead-letter-code", b"internal"), ("mine", b"1"), ("dead-letter-offset", b"1"))
    row = dead_letter_row(dead_letter(source=source(offset=9, headers=earlier)), "letters")
    headers = unpack_headers(row.headers or b"")
    assert headers[0] == ("mine", b"1")
    assert [value for name, value in headers if name == "dead-letter-code"] == [b"undecodable"]
    assert [value for name, value in headers if name == "dead-letter-offset"] == [b"9"]


def test_the_same_record_has_the_same_id_and_another_has_another() -> None:
    here, again, there = (source(offset=offset) for offset in (1, 1, 11))
    ids = [dead_letter_row(dead_letter(source=one), "letters").id for one in (here, again, there)]
    assert ids[0] == ids[1] != ids[2]


def test_order_is_kept_by_note_else_by_command_else_by_position() -> None:
    note_id, command_id, at = new_id(), new_id(), source(partition=2, offset=7)
    dead_letters = [
        dead_letter(note_id=note_id, command_id=command_id),
        dead_letter(note_id=None, command_id=command_id),
        dead_letter(note_id=None, command_id=None, source=at),
    ]
    rows = [dead_letter_row(one, "letters") for one in dead_letters]
    assert [row.aggregateid for row in rows] == [note_id, command_id, "notes.commands:2:7"]
