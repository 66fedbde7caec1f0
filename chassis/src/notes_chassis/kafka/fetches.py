"""aiokafka's fetch, as FastStream's loop calls it, with three things changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from notes_chassis.kafka.record_portions import bounded_poll

WAIT_MS: Final = 1000
"""How long an idle fetch waits for records; it returns with the first.

FastStream sleeps as long as it waited after every fetch that brought nothing. Waiting long here and sleeping shortly
there, records are seen at once nearly always, and an idle consumer costs next to nothing.
"""

Places = dict[TopicPartition, int]


def public_reason(error: Exception) -> str:
    """Return what may be said in public of an error of Kafka: its kind, and the names of what is forbidden.

    The text of any other may hold the cluster's addresses.
    """
    kind = f"Kafka: {type(error).__name__}"
    if isinstance(error, (TopicAuthorizationFailedError, GroupAuthorizationFailedError)) and error.args:
        (names, *_) = error.args
        return f"{kind}: {names if isinstance(names, str) else ', '.join(sorted(names))} may not be read"
    return kind


class Stretch(NamedTuple):
    """What one fetch has read of a partition: from the position before it to the position after it.

    Markers of transactions and aborted records in between are not handed out, and are no loss.
    """

    start: int
    end: int


@dataclass(slots=True)
class Fetches:
    """Lets fetches wait, bounds what they return, notes what the last one has read, and tells how it went.

    `told` gets the error of a fetch that raised, which drops what it had drained from other partitions, and None after
    one that did not.
    """

    told: Callable[[Exception | None], None]
    last: dict[TopicPartition, Stretch] = field(default_factory=dict)
    _skipped: dict[TopicPartition, Stretch] = field(default_factory=dict)

    def watch(self, consumer: Any) -> None:
        """Wrap the fetch of a consumer that was just started."""
        getmany = consumer.getmany
        self.last, self._skipped = {}, {}

        async def watched(*partitions: Any, timeout_ms: int = 0, max_records: int | None = None) -> Any:  # noqa: ARG001
            assignment, before = _positions(consumer)
            try:
                found = await bounded_poll(
                    consumer, lambda: getmany(*partitions, timeout_ms=WAIT_MS, max_records=max_records)
                )
            except Exception as error:
                _forget_errors(consumer)
                self.told(error)
                raise
            now, after = _positions(consumer)
            # Positions of another assignment say nothing of this one.
            self._note(found, before if now is assignment else {}, after)
            self.told(None)
            return found

        consumer.getmany = watched

    def _note(self, found: Mapping[TopicPartition, Sequence[Any]], before: Places, after: Places) -> None:
        skipped = {}
        # The first fetch of an assignment begins before it has positions: what it has read begins with its records.
        self.last = {at: Stretch(found[at][0].offset, after[at]) for at in found if found[at] and at in after}
        for at in before.keys() & after.keys():
            known = self._skipped.get(at)
            start = known.start if known is not None and known.end == before[at] else before[at]
            if at in self.last:
                self.last[at] = Stretch(start, after[at])
            elif after[at] > start:  # nothing but markers: they belong to the records that follow
                skipped[at] = Stretch(start, after[at])
        self._skipped = skipped


def _forget_errors(consumer: Any) -> None:
    """Drop the errors of other partitions: the next fetch finds them anew, where they still are.

    aiokafka keeps one for each partition and raises one a call, each of which costs five seconds in FastStream: a topic
    of twelve partitions would be away for a minute more than it was forbidden.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - nothing public forgets them
    for at in [at for at, found in fetcher._records.items() if isinstance(found, FetchError)]:  # noqa: SLF001
        del fetcher._records[at]  # noqa: SLF001
    fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001 - as aiokafka does after each


def _positions(consumer: Any) -> tuple[Any, Places]:
    subscription = consumer._subscription.subscription  # noqa: SLF001 - `position` would wait for one
    assignment = None if subscription is None else subscription.assignment
    if assignment is None:
        return None, {}
    states = {at: assignment.state_value(at) for at in assignment.tps}
    return assignment, {at: state.position for at, state in states.items() if state and state.has_valid_position}
