"""The page decides and folds as both services do: one file of commands, which its own tests read as well.

`web/tests/js/fold.test.js` holds the page against it, and against the golden events of query-service.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from notes_command.commands import HANDLERS
from notes_command.domain.note import Note, Rejected
from notes_contracts import COMMANDS, parse_time
from notes_query.projections.note import digest_of

SCENARIOS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "web/tests/golden/commands.json").read_text(encoding="utf-8")
)


def shown(note: Note) -> dict[str, Any]:
    """Return what the page shows of a note."""
    preview, word_count = digest_of(note.body)
    return {
        "version": note.version,
        "status": str(note.status),
        "title": note.title,
        "body": note.body,
        "preview": preview,
        "word_count": word_count,
        "tags": list(note.tags),
        "author": note.author,
    }


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_command_service_decides_as_the_page_expects(scenario: dict[str, Any]) -> None:
    note: Note | None = None
    for step in scenario["steps"]:
        model = COMMANDS[f"notes.command.{step['command']}.v1"]
        decision = HANDLERS[model](note, model.model_validate(step["data"]), parse_time(scenario["at"]))
        if isinstance(decision, Rejected):
            assert step.get("code") == decision.rule
            continue
        assert "code" not in step, f"{step['command']} was accepted"
        assert (decision.event is None) == (step["changes"] is None)
        note = decision.note
        found = shown(note)
        assert {field: found[field] for field in step["changes"] or {}} == (step["changes"] or {})


def test_every_command_and_every_rule_is_in_the_file() -> None:
    steps = [step for scenario in SCENARIOS for step in scenario["steps"]]
    assert {f"notes.command.{step['command']}.v1" for step in steps} == set(COMMANDS)
    rules = {
        "note_already_exists",
        "note_not_found",
        "note_archived",
        "note_deleted",
        "too_many_tags",
        "version_conflict",
    }
    assert {step["code"] for step in steps if "code" in step} == rules
