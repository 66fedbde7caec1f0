import signal
import sys
from time import perf_counter

import httpx
from aiokafka.errors import KafkaError

from tools.demo import show
from tools.demo.checks import DemoError
from tools.demo.editing import Editor
from tools.demo.importing import import_and_read_back
from tools.demo.reader import Reader
from tools.demo.system import system


def main() -> int:
    """Run the demo; return 0 only if every step was right."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is stopped
    began = perf_counter()
    try:
        _demo()
    except KeyboardInterrupt:
        show.say("Interrupted; what was started is stopped.")
        return 130
    except DemoError as error:
        show.wrong(str(error))
        return 1
    except (httpx.HTTPError, KafkaError, OSError) as error:
        show.wrong(f"A server or a service did not answer: {error or type(error).__name__}.")
        return 1
    show.chapter("Done")
    show.right(f"Every step was right, in {perf_counter() - began:.1f} s. `make up` keeps a system running.")
    return 0


def _demo() -> None:
    show.chapter("1  Real servers, both services")
    with system() as running, Reader(running.query_url) as reader:
        show.chapter("2  This project's own Markdown, straight to Kafka")
        note_id, file = import_and_read_back(running, reader)
        editor = Editor(running, reader, note_id, file.title)
        show.chapter("3  One note edited three ways")
        show.say(f"{file.path} is the note {note_id}")
        show.say("update-note, straight to Kafka:", style="bold")
        editor.through_kafka(expected_version=1)
        show.say("POST /commands/update-note, waiting for the outcome:", style="bold")
        editor.over_http(expected_version=2)
        show.say("the same, having seen version 1 only:", style="bold")
        editor.with_a_stale_version(stale=1, present=3)


if __name__ == "__main__":
    sys.exit(main())
