"""The page of limits says what the code does, and would be caught if it did not."""

import pytest

from tests.architecture.limits_page import complaints, rows
from tests.architecture.tree import ROOT

PAGE = ROOT / "docs" / "limits.md"
HEAD = "| what | limit | where |\n|---|---|---|\n"


def test_every_limit_is_what_the_code_has() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert list(complaints(page)) == []
    # A row that the pattern does not read would be checked by nobody.
    tabled = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    assert len(rows(page)) == len(tabled)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("| title | 201 | `notes_contracts.fields.TITLE_MAX` |", "the page says 201"),
        ("| body of a record | 1 MiB | `notes_contracts.topics.COMMANDS_TOPIC.max_bytes` |", "the page says 1 MiB"),
        ("| group waits | 15 min | `NOTES_KAFKA_SESSION_MS` |", "the page says 15 min"),
        ("| gone | 1 | `NOTES_NO_SUCH_SETTING` |", "no service has the setting"),
        ("| gone | 1 | `notes_contracts.fields.NOTHING` |", "NOTHING"),
        ("| title | a few | `notes_contracts.fields.TITLE_MAX` |", "not a number and a unit"),
    ],
)
def test_a_wrong_row_is_found(row: str, complaint: str) -> None:
    (found,) = complaints(HEAD + row + "\n")
    assert complaint in found
