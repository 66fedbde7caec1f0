"""An upstream of Notes on confluent-kafka: sends commands, waits for the outcome of each, and reads events.

python upstream.py send COMMANDS.jsonl  lines of {"id": …, "type": …, "data": …}; COMMANDS.jsonl.outcomes is the journal
python upstream.py read COUNT           the first COUNT events, as lines of JSON
"""

import json
import os
import sys
import time
from io import StringIO
from pathlib import Path

from confluent_kafka import Consumer, Message, Producer, TopicPartition

KAFKA = os.environ.get("NOTES_KAFKA", "localhost:9092")
COMMANDS = os.environ.get("NOTES_TOPIC_COMMANDS", "notes.commands")
OUTCOMES = os.environ.get("NOTES_TOPIC_OUTCOMES", "notes.command-outcomes")
EVENTS = os.environ.get("NOTES_TOPIC_EVENTS", "notes.events")
WAIT_S = 60.0


def reader(topic: str, *, from_beginning: bool) -> Consumer:
    """Return a consumer of all partitions that is no member of a group: nobody else takes its records."""
    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": "unused",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    partitions = [TopicPartition(topic, number) for number in consumer.list_topics(topic, 30).topics[topic].partitions]
    for partition in partitions:  # offsets are asked for now: what is sent from here on is seen, whatever happens
        low, high = consumer.get_watermark_offsets(partition, 30)
        partition.offset = low if from_beginning else high
    consumer.assign(partitions)
    return consumer


def next_record(consumer: Consumer, deadline: float) -> Message | None:
    """Return the next record, or None if there is none before the deadline (of time.monotonic)."""
    while (left := deadline - time.monotonic()) > 0:
        record = consumer.poll(left)
        if record is not None and record.error() is None:
            return record
        if record is not None and record.error().fatal():
            raise SystemExit(f"Kafka: {record.error()}")
    return None


def header(record: Message, name: str) -> str | None:
    """Return a header's text; the last counts."""
    return {key: value.decode() for key, value in record.headers() or [] if value is not None}.get(name)


def send(producer: Producer, command: dict) -> None:
    """Put a command on Kafka, or raise. Sending it twice does no harm: its id makes the second one a repeat."""
    failures = []
    producer.produce(
        COMMANDS,
        key=command["data"]["note_id"].lower(),  # one note, one key, one partition: its commands keep their order
        value=json.dumps(command["data"], ensure_ascii=False).encode(),
        headers={"ce_id": command["id"], "ce_type": command["type"], "ce_source": "/examples/python"},
        on_delivery=lambda error, _: failures.append(error) if error else None,
    )
    if producer.flush(WAIT_S) or failures:
        raise SystemExit(f"{command['id']} was not taken by Kafka ({failures}). Run again: it keeps its id")


def outcome_of(consumer: Consumer, command_id: str) -> dict:
    """Return the one outcome of a command."""
    deadline = time.monotonic() + WAIT_S
    while record := next_record(consumer, deadline):
        outcome = json.loads(record.value())
        if outcome["command_id"] == command_id:
            return outcome
    raise SystemExit(f"{command_id} has no outcome yet. Run again: it keeps its id, so it is carried out once")


def send_all(path: Path) -> int:
    """Send what has no outcome in the journal, one after the other; after a crash it is simply run again."""
    journal = Path(f"{path}.outcomes")
    written = journal.read_text() if journal.exists() else ""
    whole = written[: written.rfind("\n") + 1]  # a line that is torn counts for nothing
    journal.write_text(whole)
    known = {outcome["command_id"]: outcome for outcome in map(json.loads, StringIO(whole))}
    outcomes = reader(OUTCOMES, from_beginning=False)  # before anything is sent, so that no outcome is missed
    # librdkafka's default partitioner is not Java's; with murmur2 all upstreams agree on a key's partition.
    producer = Producer({"bootstrap.servers": KAFKA, "enable.idempotence": True, "partitioner": "murmur2_random"})
    # A file's lines end with \n; str.splitlines() would end them at the U+2028 of a text as well.
    with journal.open("a") as file, path.open(encoding="utf-8") as lines:
        for command in map(json.loads, lines):
            if command["id"] not in known:
                send(producer, command)
                known[command["id"]] = outcome_of(outcomes, command["id"])
                file.write(json.dumps(known[command["id"]]) + "\n")
                file.flush()
                os.fsync(file.fileno())
            report(known[command["id"]])
    outcomes.close()
    return int(any(outcome["status"] != "accepted" for outcome in known.values()))


def report(outcome: dict) -> None:
    """Say what came of a command. This is where an upstream decides what to do."""
    result = f"{outcome['command_id']} {outcome['status']}"
    match outcome["status"]:
        case "accepted":
            print(result, outcome["version"])
        case "rejected":  # final for this id: look at the note, decide again, send that with a new id
            print(result, outcome["error"]["code"], outcome["error"]["message"])
        case "failed":  # our bug or Notes' bug; it lies among the dead letters, from where Notes can send it again
            print(result, outcome["error"]["code"], outcome["error"]["message"])


def read(count: int) -> int:
    """Print the first events. `new` is false for a repeat, and for a snapshot of what is known."""
    consumer, versions = reader(EVENTS, from_beginning=True), {}
    for _ in range(count):
        if (record := next_record(consumer, time.monotonic() + WAIT_S)) is None:
            raise SystemExit("there are no more events")
        event = json.loads(record.value())
        note, version = event["note_id"], event["version"]
        new = version > versions.get(note, 0)  # a snapshot may jump; fields and types that are new are ignored
        versions[note] = max(version, versions.get(note, 0))
        print(json.dumps({"type": header(record, "ce_type"), "new": new, "data": event}, ensure_ascii=False))
    consumer.close()
    return 0


if __name__ == "__main__":
    what, argument = sys.argv[1:]
    sys.exit(send_all(Path(argument)) if what == "send" else read(int(argument)))
