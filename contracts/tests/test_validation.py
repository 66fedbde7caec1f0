"""What a sender gets wrong costs little to refuse, is named briefly, and is never quoted."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic_core import from_json

from notes_contracts import CreateNote, InvalidData, NotJson, validate
from notes_contracts.events import NoteCreated
from notes_contracts.fields import FAULTS_NAMED
from notes_contracts.validation import DATA_MAX, FIELD_MAX

NOTE: Final = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"
BUDGET: Final = 8
"""Times reading the same bytes; refusing 33,000 bad tags took 160 times as long before."""
GOOD: Final = {"note_id": NOTE, "title": "T"}


def data(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def repeated(part: bytes, times: int) -> bytes:
    return b'{"note_id":"%s","title":"T",%s}' % (NOTE.encode(), b",".join([part] * times))


HOSTILE: Final = {
    "33,000 bad tags": data(tags=["!?+"] * 33_000),
    "as many numbers for tags": data(tags=[7] * 33_000),
    "one bad tag behind 30,000": data(tags=[*["ok"] * 30_000, "?"]),
    "every second tag is bad": data(tags=["ok", "?"] * 15_000),
    "22,000 unknown fields": data(**{f"x{n}": 0 for n in range(22_000)}),
    "unknown fields beside bad tags": data(tags=["?"] * 10_000, **{f"x{n}": 0 for n in range(10_000)}),
    "one unknown field 30,000 times": repeated(b'"x":0', 30_000),
    "bad tags 15,000 times": repeated(b'"tags":["?"]', 15_000),
    "objects for a body": data(body=[{}] * 50_000),
    "as many as a record holds": data(**{f"x{n}": 0 for n in range(150_000)}),
    "a long name": data(**{"k" * 200_000: 0}),
}


def cpu(step: Callable[[], object]) -> float:
    """Return the seconds that it takes when nothing else is in the way."""
    times = []
    for _ in range(3):
        started = time.process_time()
        step()
        times.append(time.process_time() - started)
    return min(times)


def refused(model: type[Any], raw: bytes) -> InvalidData:
    with pytest.raises(InvalidData) as caught:
        validate(model, raw)
    return caught.value


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_refusing_costs_about_what_reading_costs(raw: bytes) -> None:
    reading = cpu(lambda: from_json(raw))
    refusing = cpu(lambda: refused(CreateNote, raw))
    assert refusing < BUDGET * reading + 0.01
    error = refused(CreateNote, raw)
    assert len(error.faults) <= FAULTS_NAMED
    assert len(str(error)) < FAULTS_NAMED * (FIELD_MAX + 100)


def memory(step: str, first: str = "0") -> int:
    """Return how many kB of memory a process of its own takes at most for this step, which refuses its data.

    `first`: the value of the data's first field.
    """
    code = f"""
from pathlib import Path
from pydantic_core import from_json
from notes_contracts import CreateNote, InvalidData, NotJson, validate

def most():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

raw = ('{{"x":{first},' + ",".join(f'"x{{n}}":0' for n in range(150_000)) + "}}").encode()
before = most()
try:
    {step}
except InvalidData as error:
    assert len(error.faults) == 20
except NotJson:
    assert {first!r} == "NaN"
print(most() - before)
"""
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells it")
def test_refusing_takes_about_the_memory_that_reading_takes() -> None:
    reading = memory("from_json(raw)")
    assert memory("validate(CreateNote, raw)") < 2.5 * reading
    assert memory("validate(CreateNote, raw)", "NaN") < 2.5 * reading


def test_an_event_with_many_bad_tags_costs_as_little() -> None:
    event = {"version": 1, "occurred_at": "2026-01-02T03:04:05.678Z", "body": "", "author": None}
    raw = data(tags=[7] * 50_000, **event)
    assert cpu(lambda: refused(NoteCreated, raw)) < BUDGET * cpu(lambda: from_json(raw)) + 0.01


def test_the_first_20_faults_are_named_in_the_order_of_the_fields() -> None:
    error = refused(CreateNote, data(title=1, tags=["ok", *["?"] * 30], x=0))
    assert [fault.field for fault in error.faults] == ["title", *[f"tags.{n}" for n in range(1, 20)]]
    assert str(error).endswith("; there may be more")


@pytest.mark.parametrize("places", [[0], [999, 1_000, 2_500], [1_000, 2_001, 2_999], list(range(20))])
def test_bad_tags_are_found_wherever_they_are(places: list[int]) -> None:
    tags = ["?" if n in places else "ok" for n in range(3_000)]
    assert [fault.field for fault in refused(CreateNote, data(tags=tags)).faults] == [f"tags.{n}" for n in places]


def test_fewer_are_all_named() -> None:
    error = refused(CreateNote, data(tags=["?", "ok", 7], x=0))
    assert [fault.field for fault in error.faults] == ["tags.0", "tags.2", "x"]
    assert error.faults[1].message == "Input should be a valid string"
    assert "more" not in str(error)


def test_known_fields_are_named_beside_any_number_of_unknown_ones() -> None:
    error = refused(CreateNote, data(title="", **{f"x{n}": 0 for n in range(500)}))
    assert [fault.field for fault in error.faults] == ["title", *[f"x{n}" for n in range(19)]]


def test_a_name_from_outside_is_short_and_printable() -> None:
    error = refused(CreateNote, data(**{"a\0\n\u2028b": 0, "k" * 1000: 0}))
    assert [fault.field for fault in error.faults] == ["a���b", "k" * (FIELD_MAX - 1) + "…"]


@pytest.mark.parametrize("raw", [b"", b"{", b'{"note_id": NaN}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b"[" * 100_000])
def test_what_is_not_json_is_told_from_what_does_not_fit(raw: bytes) -> None:
    with pytest.raises(NotJson, match="not JSON"):
        validate(CreateNote, raw)


def test_data_that_only_compression_could_bring_is_not_parsed() -> None:
    raw = b" " * (DATA_MAX + 1)
    assert refused(CreateNote, raw).faults[0].field == "data"
    assert cpu(lambda: refused(CreateNote, raw)) < 0.001


@pytest.mark.parametrize("field", ["note_id", "title", "body", "tags", "author", "expected_version"])
@pytest.mark.parametrize("wrong", ["{}", "[{}]", "[[{}]]", '{{"a":{}}}'])
def test_no_value_is_quoted(field: str, wrong: str) -> None:
    raw = b'{"%s":%s}' % (field.encode(), wrong.format('"secret\\u0000text"').encode())
    assert "secret" not in str(refused(CreateNote, raw))


@pytest.mark.parametrize("raw", [b'{"title":"secret', b'{"title":secret}', b"{secret:1}", b'"secret" secret'])
def test_no_text_is_quoted_of_what_is_not_json(raw: bytes) -> None:
    with pytest.raises(NotJson) as caught:
        validate(CreateNote, raw)
    assert "secret" not in str(caught.value)


def test_what_fits_is_returned() -> None:
    assert validate(CreateNote, data(tags=["\u212aELVIN", "a"])).tags == ("kelvin", "a")
