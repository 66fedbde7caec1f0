"""Run a service that notes in the file CLIENTS how each of its clients of Kafka was made.

    python -m tests.harness.counted notes_command serve

A client that the service makes by whichever way is one of aiokafka in the end.
"""

import os
import runpy
import sys
from pathlib import Path
from typing import Any

from aiokafka.client import AIOKafkaClient


def count() -> None:
    """Replace how a client is made by what notes it first."""
    made = AIOKafkaClient.__init__

    def noted(self: AIOKafkaClient, **options: Any) -> None:
        with Path(os.environ["CLIENTS"]).open("a") as file:
            print(options.get("security_protocol"), options.get("sasl_mechanism"), file=file)
        made(self, **options)

    AIOKafkaClient.__init__ = noted


if __name__ == "__main__":
    count()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
