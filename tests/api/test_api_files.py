"""The committed descriptions are those of the code."""

import json

import pytest

from tools.api_files import FOLDER, texts


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return dict(texts())


def test_the_committed_files_are_those_of_the_services(written: dict[str, str]) -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    differ = sorted(name for name in written.keys() | found.keys() if written.get(name) != found.get(name))
    assert not differ, f"docs/api is not what the services say of themselves: {differ}; run `make api`"


def test_nothing_in_them_comes_from_the_environment(written: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTES_TOPIC_EVENTS", "elsewhere")
    monkeypatch.setenv("NOTES_KAFKA", "kafka.example:9092")
    assert dict(texts()) == written


def test_there_are_both_kinds_of_both_services(written: dict[str, str]) -> None:
    kinds = {name: "asyncapi" if "asyncapi" in json.loads(text) else "openapi" for name, text in written.items()}
    assert kinds == {
        f"{service}-service.{kind}.json": kind for service in ("command", "query") for kind in ("openapi", "asyncapi")
    }
