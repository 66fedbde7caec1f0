"""PostgreSQL was restored from a backup: a note has a second history on the topic, below the version it had reached."""

import json
import re
from functools import partial
from typing import Any

import pytest
from query_support.fixtures import Samples, Settings

from tests.harness.waiting import eventually

pytestmark = pytest.mark.usefixtures("quick_looks")
FOLDED = ("notes_v2_1", "search_v2_2")


def another(samples: Samples, version: int, note: str | None = None) -> Any:
    message = samples.updated(note, version, body=f"restored words {version}")
    return samples.record(message, name=f"restored {note} {version}")


@pytest.fixture
def first(samples: Samples) -> list[Any]:
    return [samples.record(samples.created()), *(samples.record(samples.updated(version=at)) for at in range(2, 6))]


def figure(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


async def forks_in(database: Any) -> list[int]:
    return [await database[f"{name}_parked"].count_documents({"kind": "fork"}) for name in FOLDED]


async def listed(client: Any, note: str) -> list[int]:
    return [item["version"] for item in (await client.get(f"/notes/{note}/history")).json()["items"]]


async def test_it_stops_every_read_model_shows_everywhere_and_a_snapshot_above_heals_it(
    *, samples: Samples, settings: Settings, running: Any, send: Any, database: Any, command_line: Any, first: Any
):
    note, topic = samples.note, settings.topic_events
    async with running(settings) as client:
        await send(topic, *first)
        answer = await client.get(f"/notes/{note}?min_version=5&wait=10")
        assert answer.headers["consistency"] == "current"
        # v4 and v5 once more, otherwise; then what the write store goes on with.
        await send(topic, *(another(samples, version) for version in (4, 5, 6)), *first)

        await eventually(partial(forks_in, database), [2, 2].__eq__)

        async def parked() -> bool:
            answer = await client.get(f"/notes/{note}")
            return (answer.headers.get("consistency"), answer.json()["version"]) == ("parked", 5)

        await eventually(parked)
        assert (await client.get(f"/notes/{note}/body")).json()["body"] == "body 5"
        # The history has what the write store goes on with, and shows it once the note is there.
        await eventually(lambda: database["history_v1_2"].find_one({"_id": f"{note}:6"}))
        assert await listed(client, note) == [1, 2, 3, 4, 5]
        assert (await client.get("/notes/search?q=restored")).json()["items"] == []

        async def counted() -> bool:
            text = (await client.get("/metrics")).text
            names = [f'notes_query_forks{{read_model="{name}"}}' for name in ("notes", "search")]
            return [figure(text, name) for name in names] == [2, 2]

        await eventually(counted)
        code, output, _ = await command_line("gaps", "--json")
        (gap,) = json.loads(output)
        assert (code, gap["version"], gap["forks"], gap["stopped"]) == (1, 5, 2, True)
        code, output, _ = await command_line("verify", "--json")
        found = json.loads(output)
        assert code == 1
        assert {name: (report["stopped"], report["differences"]) for name, report in found.items()} == {
            "notes": ([note], []),
            "search": ([note], []),
            "history": ([], []),
        }
        assert "restored words" not in str(
            [await database[f"{name}_parked"].find({"kind": "fork"}).to_list(None) for name in FOLDED]
        )

        await asked_for(command_line, note)
        healing = samples.snapshotted(version=6, title="As restored", body="restored words 6")
        await send(topic, samples.record(healing, name="snapshot"), another(samples, 7))
        answer = await client.get(f"/notes/{note}?min_version=7&wait=10")
        assert (answer.headers["consistency"], answer.json()["title"]) == ("current", "As restored")
        assert (await client.get(f"/notes/{note}/body")).json()["body"] == "restored words 7"

        await eventually(partial(listed, client, note), [1, 2, 3, 4, 5, 6, 7].__eq__)
        # All of it once more, as after offsets were set back: nothing changes.
        await send(topic, *first, *(another(samples, version) for version in (4, 5, 6)))
        await send(topic, another(samples, 8))
        answer = await client.get(f"/notes/{note}?min_version=8&wait=10")
        assert answer.headers["consistency"] == "current"
    code, output, _ = await command_line("forks", "drop", "--note", note, "--json")
    assert (code, len(json.loads(output)["dropped"])) == (0, 2)
    assert await forks_in(database) == [0, 0]
    assert (await command_line("gaps"))[:2] == (0, "no gaps\n")
    code, output, _ = await command_line("verify", "--json")
    assert (code, [report["stopped"] for report in json.loads(output).values()]) == (0, [[], [], []])


async def asked_for(command_line: Any, note: str) -> None:
    """A fork that stops its note is listed, shown, and not dropped without force."""
    _, output, _ = await command_line("forks", "list", "--json", "--note", note)
    forks = json.loads(output)
    assert [(one["version"], one["stopped"], sorted(one["read_models"])) for one in forks] == [
        (version, True, sorted(FOLDED)) for version in (4, 5)
    ]
    code, output, _ = await command_line("forks", "show", forks[0]["id"])
    assert (code, "restored words 4" in output) == (0, True)
    code, output, complaints = await command_line("forks", "drop", "--all")
    assert (code, output.strip(), complaints.count("refused")) == (1, "nothing was dropped", 2)


@pytest.mark.parametrize("fills", [0, 1])
async def test_behind_a_gap_a_second_history_is_shown_once_a_snapshot_has_healed_the_note(
    *,
    samples: Samples,
    settings: Settings,
    running: Any,
    send: Any,
    database: Any,
    command_line: Any,
    first: Any,
    fills: int,
):
    """The first event of each version is shown: also one of the second history, where the first has none."""
    note, topic = samples.note, settings.topic_events
    async with running(settings) as client:
        await send(topic, *first, *(samples.record(samples.updated(version=version)) for version in (7, 8)))
        await send(topic, another(samples, 5), *(another(samples, 6) for _ in range(fills)))

        await eventually(partial(forks_in, database), [1, 1].__eq__)
        await eventually(lambda: database["history_v1_2"].count_documents({}), (7 + fills).__eq__)
        assert await listed(client, note) == [1, 2, 3, 4, 5]
        _, output, _ = await command_line("forks", "list", "--json")
        (fork,) = json.loads(output)
        assert (fork["stopped"], sorted(fork["read_models"])) == (True, sorted(FOLDED))
        await send(topic, samples.record(samples.snapshotted(version=8), name="snapshot"))
        await send(topic, *(samples.record(samples.updated(version=version)) for version in (9, 10)))
        answer = await client.get(f"/notes/{note}?min_version=10&wait=10")
        assert answer.headers["consistency"] == "current"

        await eventually(partial(listed, client, note), [1, 2, 3, 4, 5, *[6] * fills, 7, 8, 9, 10].__eq__)
    for command, key in (("gaps", None), ("forks", "list")):
        _, output, _ = await command_line(command, *([key] if key else []), "--json")
        assert [one["stopped"] for one in json.loads(output)] == [False]
    code, output, _ = await command_line("verify", "--json")
    assert (code, [(one["stopped"], one["differences"]) for one in json.loads(output).values()]) == (0, [([], [])] * 3)


async def test_a_fork_far_below_is_noticed_by_a_read_model_that_is_built_anew_too(
    *, samples: Samples, settings: Settings, running: Any, send_many: Any, database: Any, command_line: Any
):
    records = [samples.record(samples.created())]
    records += [samples.record(samples.updated(version=version)) for version in range(2, 301)]
    async with running(settings) as client:
        await send_many(settings.topic_events, records)
        answer = await client.get(f"/notes/{samples.note}?min_version=300&wait=10")
        assert answer.headers["consistency"] == "current"
        await send_many(settings.topic_events, [*records, another(samples, 3)])

        async def stopped() -> bool:
            return bool((await client.get(f"/notes/{samples.note}")).headers.get("consistency") == "parked")

        await eventually(stopped)
        assert await database["notes_v2_1_parked"].count_documents({"kind": "fork"}) == 1
        code, output, complaints = await command_line("rebuild", "notes")
        assert code == 0, output + complaints
        answer = await client.get(f"/notes/{samples.note}")
        assert (answer.headers.get("consistency"), answer.json()["version"]) == ("parked", 300)
        assert await database["notes_v2_3_parked"].count_documents({"kind": "fork"}) == 1


async def test_a_fork_that_is_dropped_by_force_counts_for_nothing_in_builds_to_come_too(
    *, samples: Samples, settings: Settings, running: Any, send: Any, database: Any, command_line: Any, first: Any
):
    note, topic = samples.note, settings.topic_events
    async with running(settings) as client:
        await send(topic, *first, another(samples, 2), samples.record(samples.updated(version=6)))

        await eventually(lambda: database["notes_v2_1_parked"].count_documents({}), (2).__eq__)
        code, output, _ = await command_line("forks", "drop", "--note", note, "--force")
        assert (code, output.startswith("dropped ")) == (0, True)
        answer = await client.get(f"/notes/{note}?min_version=6&wait=10")
        assert (answer.headers["consistency"], answer.json()["preview"]) == ("current", "body 6")
        await send(topic, another(samples, 2), samples.record(samples.updated(version=7)))
        answer = await client.get(f"/notes/{note}?min_version=7&wait=10")
        assert answer.headers["consistency"] == "current"
        assert (await command_line("rebuild", "notes"))[0] == 0
        answer = await client.get(f"/notes/{note}")
        assert (answer.headers.get("consistency"), answer.json()["version"]) == (None, 7)
    code, output, _ = await command_line("verify", "notes", "search")
    assert code == 0, output


async def test_a_version_that_is_waited_for_no_longer_leaves_no_mark(
    *, samples: Samples, settings: Settings, running: Any, send: Any, command_line: Any
):
    impatient = settings.model_copy(update={"query_missing_after_s": 0.5})
    async with running(impatient) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await send(settings.topic_outcomes, samples.record(samples.outcome("2", version=2)))

        async def parked() -> bool:
            return bool((await client.get(f"/notes/{samples.note}")).headers.get("consistency") == "parked")

        await eventually(parked)
        code, output, _ = await command_line("missing", "list", "--json")
        assert (code, [(one["note_id"], one["version"]) for one in json.loads(output)]) == (0, [(samples.note, 2)])
        assert (await command_line("missing", "show", samples.other))[0] == 1
        assert (await command_line("missing", "drop", samples.note))[0] == 0
        assert not await parked()
    assert (await command_line("missing", "list"))[:2] == (0, "nothing is missing\n")


async def test_nothing_that_a_deleted_note_said_stays_anywhere(
    *, samples: Samples, settings: Settings, running: Any, send: Any, database: Any
):
    said = {"body": "marker of what was said"}
    fork = samples.record(samples.updated(version=2, **said), name="fork")
    kept_whole = {"_id": "of an earlier release", "kind": "fork", "note_id": samples.other, "version": 1}
    kept_whole |= {"event_id": "x"}
    await database["notes_v2_1_parked"].insert_one(kept_whole | {"value": b"marker", "headers": [], "key": b""})
    written = [samples.created(**said), samples.updated(version=2, **said)]
    waiting = [samples.updated(version=version, **said) for version in (5, 6)]
    async with running(settings) as client:
        await send(settings.topic_events, *map(samples.record, [*written, *waiting]), fork)

        async def stored() -> bool:
            kinds = [await database[f"{name}_parked"].count_documents({"kind": "gap"}) for name in FOLDED]
            forks = [await database[f"{name}_parked"].count_documents({"version": 2}) for name in FOLDED]
            return (kinds, forks, await database["history_v1_2"].count_documents({})) == ([2, 2], [1, 1], 4)

        await eventually(stored)
        gone = samples.snapshotted(version=7, title="", body="", status="deleted")
        await send(settings.topic_events, samples.record(gone, name="snapshot"))

        async def nowhere() -> bool:
            names = await database["notes_v2_1"].database.list_collection_names()
            return "marker" not in str([await database[name].find().to_list(None) for name in names])

        await eventually(nowhere)
        assert (await client.get(f"/notes/{samples.note}")).status_code == 410
