"""What is asserted of records from outside."""

import json

from tests.harness.kafka_io import header


def assert_one_outcome_each(outcomes):
    seen = {}
    for record in outcomes:
        data = json.loads(record.value)
        same = seen.setdefault(data["command_id"], (header(record, "ce_id"), record.value))
        assert same == (header(record, "ce_id"), record.value)


def assert_versions_in_order(events, notes, last):
    first_of = {note: {} for note in notes}
    for record in events:
        data = json.loads(record.value)
        seen = first_of[data["note_id"]]
        identity = (header(record, "ce_id"), record.value, record.headers)
        if data["version"] in seen:
            assert seen[data["version"]] == identity, "a repeat differs from what it repeats"
        else:
            assert data["version"] == len(seen) + 1, "first occurrences are in order"
            seen[data["version"]] = identity
    assert all(len(seen) == last for seen in first_of.values())
