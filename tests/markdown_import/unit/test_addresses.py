from pathlib import Path

import pytest

from tools.markdown_import import ImportStoppedError
from tools.markdown_import.command import find_addresses


@pytest.fixture
def stack_env(tmp_path: Path) -> Path:
    file = tmp_path / "env"
    file.write_text("# made by make up\nNOTES_KAFKA=stack:1\nNOTES_QUERY_URL='http://stack:2/?a=b'\n\n")
    return file


def test_the_environment_comes_first_and_is_not_mixed_with_another_system(stack_env: Path) -> None:
    given = {"NOTES_KAFKA": "env:1", "NOTES_TOPIC_COMMANDS": "c"}
    assert find_addresses(given, stack_env) == given


def test_else_what_make_up_wrote_counts(stack_env: Path) -> None:
    found = find_addresses({"NOTES_TOPIC_OUTCOMES": "o"}, stack_env)
    stack = {"NOTES_KAFKA": "stack:1", "NOTES_QUERY_URL": "http://stack:2/?a=b"}
    assert found == {**stack, "NOTES_TOPIC_OUTCOMES": "o"}


def test_without_an_address_of_kafka_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImportStoppedError, match="run `make up`, or set NOTES_KAFKA"):
        find_addresses({}, tmp_path / "missing")
