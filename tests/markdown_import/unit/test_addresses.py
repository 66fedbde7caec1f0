from pathlib import Path

import pytest

from tools.markdown_import.addresses import Addresses, find_addresses
from tools.markdown_import.errors import ImportStoppedError


@pytest.fixture
def stack_env(tmp_path: Path) -> Path:
    file = tmp_path / "env"
    file.write_text("# made by make up\nNOTES_KAFKA=stack:1\nNOTES_QUERY_URL='http://stack:2/?a=b'\n\n")
    return file


def test_the_environment_comes_first_and_is_not_mixed_with_another_system(stack_env: Path) -> None:
    found = find_addresses(None, {"NOTES_KAFKA": "env:1", "NOTES_TOPIC_COMMANDS": "c"}, stack_env)
    assert found == Addresses("env:1", None, "c", "notes.command-outcomes")


def test_else_what_make_up_wrote_counts(stack_env: Path) -> None:
    found = find_addresses(None, {"NOTES_TOPIC_OUTCOMES": "o"}, stack_env)
    assert found == Addresses("stack:1", "http://stack:2/?a=b", "notes.commands", "o")


def test_an_address_of_the_read_side_on_the_command_line_overrides(stack_env: Path) -> None:
    assert find_addresses("http://mine", {}, stack_env).query_url == "http://mine"


def test_without_an_address_of_kafka_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImportStoppedError, match="run `make up`, or set NOTES_KAFKA"):
        find_addresses(None, {}, tmp_path / "missing")
