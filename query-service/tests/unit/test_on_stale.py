"""`on_stale=write-store`: one note read from where it was written, if it is not here in time."""

from typing import Any

import pytest
from query_support.fixtures import Samples, Side

from notes_query.errors import WriteStoreUnavailable
from notes_query.reads.get_note import Answer, GetNote


class Written:
    def __init__(self, view: Any) -> None:
        self.found = view
        self.asked = 0

    async def view(self, _: str, authorization: str | None = None) -> Any:
        self.asked += 1
        self.authorization = authorization
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


DELETED = {"status": "deleted"}


def view(samples: Samples, *messages: Any) -> Any:
    return {name: value for name, value in samples.document(*messages).items() if name not in ("body", "parked")}


@pytest.fixture
def two(samples: Samples) -> Any:
    return view(samples, samples.created(), samples.updated())


async def asked(side: Side, note_id: str, written: Written | None, min_version: int = 2) -> Answer:
    return await GetNote(side.notes, side.waiters, written)(note_id, min_version, 0.01, ask_write_store=True)


async def test_what_is_not_here_comes_from_the_write_store(samples: Samples, side: Side, two: Any):
    assert await asked(side, samples.note, Written(two)) == Answer(two, "write-store")

    await side.given([samples.record(samples.created())])
    assert await asked(side, samples.note, Written(two)) == Answer(two, "write-store")
    assert await asked(side, samples.note, Written(DELETED)) == Answer(DELETED, "write-store")


async def test_what_is_here_in_time_is_not_asked_for(samples: Samples, side: Side, two: Any):
    await side.given([samples.record(samples.created())])
    written = Written(two)

    assert (await asked(side, samples.note, written, 1)).consistency == "current"
    assert (await GetNote(side.notes, side.waiters, written)(samples.note, ask_write_store=True)).consistency is None
    side.notes.documents[samples.note]["status"] = "deleted"
    assert (await asked(side, samples.note, written, 9)).consistency == "stale"
    assert written.asked == 0


async def test_without_an_answer_there_is_what_is_here(samples: Samples, side: Side):
    away = Written(WriteStoreUnavailable("away"))
    for written in (away, None):
        assert await asked(side, samples.note, written) == Answer(None, "stale")
    await side.given([samples.record(samples.created())])
    for written in (away, None):
        note, consistency = await asked(side, samples.note, written)
        assert note is not None
        assert (note["version"], consistency) == (1, "stale")
    assert away.asked == 2


async def test_an_answer_that_is_behind_what_is_here_is_not_shown(samples: Samples, side: Side):
    await side.given([samples.record(samples.created()), samples.record(samples.updated())])

    for behind in (view(samples, samples.created()), None):
        note, consistency = await asked(side, samples.note, Written(behind), 3)
        assert note is not None
        assert (note["version"], consistency) == (2, "stale")


async def test_that_nobody_knows_the_note_is_an_answer(samples: Samples, side: Side):
    assert await asked(side, samples.note, Written(None)) == Answer(None, "write-store")


async def test_a_parked_note_is_whole_in_the_write_store(samples: Samples, side: Side, two: Any):
    await side.given([samples.record(samples.created()), samples.record(samples.updated(version=3))])

    assert await asked(side, samples.note, Written(two)) == Answer(two, "write-store")
    assert (await asked(side, samples.note, None)).consistency == "parked"


async def test_it_is_asked_in_the_name_of_the_reader(samples: Samples, side: Side, two: Any):
    written = Written(two)
    await GetNote(side.notes, side.waiters, written)(samples.note, 2, 0.01, True, "Bearer x")
    assert written.authorization == "Bearer x"
