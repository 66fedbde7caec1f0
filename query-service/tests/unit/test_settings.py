"""Names of topics that cannot be used are said at the start, one sentence for each."""

import os
from itertools import combinations

import pytest

from notes_chassis.settings import SettingsError
from notes_query.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notes_chassis.logs.configure", lambda _: None)
    for name in [name for name in os.environ if name.startswith("NOTES_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NOTES_AUTH", "none")


def said(monkeypatch: pytest.MonkeyPatch, **topics: str) -> list[str]:
    for name, value in topics.items():
        monkeypatch.setenv(f"NOTES_TOPIC_{name}", value)
    with pytest.raises(SettingsError) as unusable:
        read_settings()
    return str(unusable.value).splitlines()


NAMES = [name for name in Settings.model_fields if name.startswith("topic_")]


@pytest.mark.parametrize("value", ["", ".", "..", "a" * 250, "a b", "notes/events", "notes.events\n", "nötes"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_kafka_does_not_allow_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (line,) = said(monkeypatch, **{name.removeprefix("topic_").upper(): value})
    assert line.startswith(f"NOTES_{name.upper()}: the name of a topic has 1 to 249")


@pytest.mark.parametrize("two", [*combinations(NAMES, 2)])
def test_two_of_the_same_name_are_one_sentence(monkeypatch: pytest.MonkeyPatch, two: tuple[str, str]) -> None:
    (line,) = said(monkeypatch, **{name.removeprefix("topic_").upper(): "a" for name in two})
    first, second = (f"NOTES_{name.upper()}" for name in two)
    assert line == f"{first} and {second} name the same topic; each needs one of its own"


def test_names_that_kafka_allows_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(NAMES):
        monkeypatch.setenv(f"NOTES_{name.upper()}", f"{number}_-.".ljust(249, "Z"))
    assert [len(topic.name) for topic in read_settings().topics] == [249] * len(NAMES)


@pytest.mark.parametrize("name", ["QUERY_HOST", "QUERY_GROUP", "QUERY_CLIENT_ID"])
def test_an_empty_text_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # An empty host is every address of the machine; groups of an empty prefix are other groups.
    monkeypatch.setenv(f"NOTES_{name}", "")
    with pytest.raises(SettingsError, match=rf"^NOTES_{name}: .* is expected"):
        read_settings()


def test_users_and_operators_have_ports_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTES_QUERY_OPS_PORT", "8080")
    with pytest.raises(SettingsError, match=r"^NOTES_QUERY_PORT and NOTES_QUERY_OPS_PORT are the same port"):
        read_settings()
