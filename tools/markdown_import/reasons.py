"""Reasons in words: why a file was not taken, what could not be sent."""

from pydantic import ValidationError

from notes_contracts import Code, Outcome
from tools.markdown_import.entry import Entry


def invalid_reason(error: ValidationError) -> str:
    """Return why the contract does not allow a note, field by field."""
    found = []
    for problem in error.errors(include_url=False, include_input=False):
        nul = problem["type"] == "string_pattern_mismatch"
        message = "holds a NUL character" if nul else problem["msg"].removeprefix("String ")
        found.append(f"{'.'.join(str(part) for part in problem['loc'])} {message}")
    return "; ".join(found)


def outcome_reason(outcome: Outcome, before: Entry) -> str:
    """Return why a command was not accepted, with what to do about it; `before`: the entry as it was when sent."""
    if outcome.error is None:
        return outcome.status
    reason = f"{outcome.error.code}: {outcome.error.message}"
    if outcome.error.code == Code.VERSION_CONFLICT:
        return f"{reason} (somebody changed the note after version {before.version}; --force overwrites it)"
    if outcome.error.code == Code.NOTE_ALREADY_EXISTS:
        return (
            f"{reason} (and the state file does not know it; --force replaces its body, another --namespace makes "
            "another note)"
        )
    return reason


def unsent_changes(entry: Entry, title: str, tags: tuple[str, ...]) -> str | None:
    """Return how the file's title and tags differ from the note's, as far as these are known; None: not at all."""
    changes = []
    if entry.title is not None and entry.title != title:
        changes.append(f"title {entry.title!r} is now {title!r}")
    if entry.tags is not None and entry.tags != tags:
        changes.append(f"tags [{', '.join(entry.tags)}] are now [{', '.join(tags)}]")
    return "; ".join(changes) + " (until there are commands for it)" if changes else None
