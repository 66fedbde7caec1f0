"""Where one replace of several changed nothing, all their notes are folded again, and each event counts once."""

from typing import Any

import pytest
from query_support.fixtures import Samples, Side
from query_support.memory_notes import MemoryNotes

from notes_query.projecting.counts import Counts
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projections.note import evolve
from notes_query.projections.read_model import Folded


class OneWasNotReplaced(MemoryNotes):
    """Says so of the first replaces, as MongoDB does: not of which."""

    overtaken: Folded | None = None
    said = False

    async def write(self, writes: Any) -> set[str]:
        if self.overtaken is not None:
            self.documents[self.overtaken["_id"]], self.overtaken = self.overtaken, None
        taken = await super().write(writes)
        if not self.said and writes.before:
            self.said = True
            taken |= writes.before.keys()
        return taken


@pytest.mark.parametrize("overtaken", [False, True], ids=["all were stored", "another instance stored one"])
async def test_where_a_note_is_folded_again_each_event_counts_once(side: Side, samples: Samples, *, overtaken: bool):
    notes = OneWasNotReplaced()
    fold = FoldReadModel("notes", evolve, notes, side.dead_letters, lambda: samples.start)
    first, second, other = samples.created(), samples.updated(version=2), samples.created(samples.other)
    third, fourth = samples.updated(version=3), samples.updated(version=4)
    await fold([samples.event(message) for message in (first, second, other)])
    if overtaken:
        notes.overtaken = samples.document(first, second, third, fourth)

    others = samples.updated(samples.other, version=2), samples.updated(samples.other, version=7)
    counts = await fold([samples.event(message) for message in (first, second, third, *others)])

    ours = 1 if overtaken else 2
    assert counts == Counts(applied=ours, ignored=4 - ours, parked=1)
    assert (notes.said, notes.documents[samples.other]["version"]) == (True, 2)


async def test_a_fork_that_a_person_has_decided_about_counts_once_where_its_note_is_folded_again(
    side: Side, samples: Samples
):
    notes = OneWasNotReplaced()
    fold = FoldReadModel("notes", evolve, notes, side.dead_letters, lambda: samples.start)
    await fold([samples.event(samples.created())])
    another = samples.event(samples.created(title="another"), name="another")
    notes.disregarded_forks.add((samples.note, 1, another.id))

    counts = await fold([another, samples.event(samples.updated(version=2))])

    assert counts == Counts(applied=1, ignored=1)
    assert notes.said
