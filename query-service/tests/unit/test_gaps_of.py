"""What is told of one note from several places is one gap; and what the command line shows of it."""

import json
from datetime import timedelta
from typing import Any

from query_support.fixtures import Samples

from notes_query.commands import parse
from notes_query.commands.gaps import tell_gaps
from notes_query.repairing.gaps import Gap, Waiting, gaps_of
from notes_query.repairing.missing_versions import MissingVersion

SECOND = timedelta(seconds=1)


def test_events_that_wait_and_a_version_that_did_not_come_are_one_gap(samples: Samples):
    waiting = [Waiting(samples.note, 2, 1, samples.start + SECOND)]
    missing = [MissingVersion(samples.note, 9, samples.start), MissingVersion(samples.other, 1, samples.start)]

    found = gaps_of(waiting, missing, {samples.note: 3}, read_model="notes_v2_1")

    assert sorted(found, key=lambda gap: gap.version, reverse=True) == [
        Gap(samples.note, 3, 4, 2, 9, 1, samples.start, stopped=False, read_model="notes_v2_1"),
        Gap(samples.other, 0, 1, 0, 1, 0, samples.start, stopped=False, read_model="notes_v2_1"),
    ]


def test_what_has_come_meanwhile_is_no_gap_and_a_fork_misses_nothing(samples: Samples):
    forked = [Waiting(samples.other, 0, 2, samples.start)]

    missing = [MissingVersion(samples.note, 2, samples.start)]

    found = gaps_of(forked, missing, {samples.note: 2, samples.other: 4}, read_model="notes_v2_1")

    assert found == [Gap(samples.other, 4, None, 0, None, 2, samples.start, stopped=False, read_model="notes_v2_1")]


def test_it_is_shown_to_people_and_to_programs(samples: Samples, capsys: Any):
    gaps = [Gap(samples.note, 1, 2, 3, None, 0, samples.start, stopped=False, read_model="notes_v2_1")]

    assert tell_gaps(parse(["gaps"]), gaps) == 1
    assert capsys.readouterr().out.splitlines()[1].split() == [
        samples.note, "1", "2", "3", "-", "0", "no", "2026-01-02T03:04:05.678Z", "notes_v2_1"
    ]  # fmt: skip
    assert tell_gaps(parse(["gaps", "--json"]), gaps) == 1
    assert json.loads(capsys.readouterr().out)[0]["since"] == "2026-01-02T03:04:05.678Z"
