"""What aiokafka and FastStream keep to themselves is touched in two files alone, and changed in one."""

from pathlib import Path

import pytest

from tests.architecture.private_names import PATCHES, READS, complaints
from tests.architecture.tree import ROOT

PLANTED = {
    "reads": "def f(consumer):\n    return consumer._client",
    "reads by its name": "def f(consumer):\n    return getattr(consumer, '_client', None)",
    "sets on what was made": "def f(made, kind):\n    made._sender.__class__ = kind",
    "imports": "from faststream._internal.broker import BrokerUsecase",
    "imports a name": "from aiokafka.util import _private",
    "changes a class": "from aiokafka import AIOKafkaConsumer\nAIOKafkaConsumer.getmany = None",
    "changes a module": "import aiokafka.client\naiokafka.client.create_conn = None",
    "changes a default": "from aiokafka.a import B\nB.__init__.__defaults__ = ()",
    "changes by name": "from aiokafka import AIOKafkaConsumer\nsetattr(AIOKafkaConsumer, 'getmany', None)",
    "replaces a method": "from faststream.kafka import KafkaBroker\nclass B(KafkaBroker):\n    def _connect(self): ...",
}
CHANGES = [name for name in PLANTED if name.startswith("changes")]


def test_nobody_else_does() -> None:
    assert complaints(ROOT) == []


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("place", ["chassis/src/notes_chassis/kafka", "query-service/src/notes_query/live"])
def test_the_rule_bites(tmp_path: Path, planted: str, place: str) -> None:
    path = tmp_path / place / "planted.py"
    path.parent.mkdir(parents=True)
    path.write_text(PLANTED[planted])
    assert complaints(tmp_path)


@pytest.mark.parametrize("planted", CHANGES)
def test_who_reads_changes_nothing(tmp_path: Path, planted: str) -> None:
    (path := tmp_path / READS).parent.mkdir(parents=True)
    path.write_text(PLANTED[planted])
    assert complaints(tmp_path)
    for allowed in PATCHES:
        path = path.rename(tmp_path / allowed)
        assert complaints(tmp_path) == []
