"""The gate sees every break of a message: each is planted, and each says so in a sentence."""

import re
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.planted_breaks import (
    ABSENT,
    CODES,
    COMMAND_API,
    COMMANDS,
    CREATE,
    CREATED,
    EVENTS,
    RENAME,
    TOPICS,
    UPDATE,
    Plant,
    add,
    configuration,
    field,
    key,
)
from tools.contract_gate.breaks import breaks
from tools.contract_gate.release import RELEASED, Release, present, released

PLANTED = (COMMANDS, EVENTS, TOPICS, CODES)


@pytest.fixture(scope="module")
def first() -> Release:
    """The first release, with one description: what HTTP looks like is another file's matter."""
    found = released()[0]
    return replace(found, api={COMMAND_API: found.api[COMMAND_API]})


@pytest.fixture
def new(first: Release) -> Release:
    """A next version in which nothing has changed yet."""
    return replace(deepcopy(first), name="this version")


def test_this_checkout_breaks_nobody() -> None:
    assert [sentence for release in released() for sentence in breaks(release, present())] == []


@pytest.mark.parametrize(("plant", "sentence"), [plant for table in PLANTED for plant in table.values()])
def test_a_planted_break_is_seen(plant: Plant, sentence: str, first: Release, new: Release) -> None:
    plant(new)
    assert sentence in breaks(first, new)


GOOD: dict[str, Plant] = {
    "a command has an optional field": lambda new: add(new, UPDATE, "reason"),
    "a command takes more": lambda new: field(new, CREATE, "title").update(maxLength=300),
    "a command takes null, too": lambda new: new.schemas[CREATE]["properties"].update(
        title={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "an event has an optional field": lambda new: add(new, CREATED, "colour"),
    "there is a second version of a type": lambda new: new.schemas.update(
        {"notes.event.note-created.v2": {"type": "object", "properties": {}, "required": []}}
    ),
    "commands are kept longer": lambda new: configuration(new, "commands").update({"retention.ms": -1}),
    "there is a new code": lambda new: new.codes.update(note_on_fire=418),
    "a key has better words": lambda new: key(new, CREATED).update(description="The id of the note."),
    "words are better": lambda new: field(new, CREATE, "title").update(description="What stands above it."),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_breaks_nobody_is_let_through(case: str, first: Release, new: Release) -> None:
    GOOD[case](new)
    assert breaks(first, new) == []


def test_an_event_is_compared_with_every_release_and_not_with_the_last_alone(first: Release, new: Release) -> None:
    """The second release may say what the third takes back: nobody of the second is hurt, and the first is."""
    second = deepcopy(new)
    add(second, CREATED, "colour")
    third = deepcopy(second)
    third.schemas[CREATED]["properties"]["colour"] = {"type": "integer"}
    assert breaks(first, second) == []
    assert breaks(first, third) == []
    between = [sentence for sentence in breaks(second, third) if "colour: " in sentence]
    assert len(between) == 2, "what the second release wrote stays on the topic"


def test_a_golden_message_that_is_refused_is_named(first: Release) -> None:
    old = deepcopy(first)
    old.golden[UPDATE]["value"] = old.golden[UPDATE]["value"].replace('"body"', '"content"')
    assert f"{UPDATE}: this version refuses the golden message of 1.0.0: body: Field required" in breaks(old, first)


def test_a_digest_that_moves_is_seen(first: Release) -> None:
    """An optional field with a default does that, unless the digest leaves it out."""
    old = deepcopy(first)
    old.digests[CREATE] = "0" * 64
    (found,) = breaks(old, first)
    assert found.startswith(f"{CREATE}: the golden command of 1.0.0 has another digest: a retry across the update")


def test_the_deliberate_break_of_the_readme_is_let_through_beside_v1_and_stopped_in_its_place(
    first: Release, new: Release
) -> None:
    text = (RELEASED.parent / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python v2\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"__name__": "v2"}
    exec(compile(example, "README.md", "exec"), names)
    ((name, model),) = names["NEW"].items()
    beside, edited = deepcopy(new), deepcopy(new)
    beside.schemas[name] = model.model_json_schema()
    assert breaks(first, beside) == []
    edited.schemas[RENAME] = model.model_json_schema()
    assert breaks(first, edited) == [
        f"{RENAME}: this version does not read every command of 1.0.0: language: {ABSENT}",
    ]
