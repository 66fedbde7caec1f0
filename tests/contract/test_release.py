"""A release is written once, out of committed files, and never edited."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.contract_gate.breaks import operations_of, statuses_of
from tools.contract_gate.containment import whole
from tools.contract_gate.release import RELEASED, REPOSITORY, GateError, released, write_release

VERSION = "1.0.0"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a release is made of, and none made yet."""
    for part in ("contracts/schemas", "tests/contract/golden", "docs/api"):
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    (tmp_path / "contracts/released").mkdir()
    say(tmp_path, "1.1.0")
    return tmp_path


def say(checkout: Path, version: str) -> None:
    """State a version, and a word about it."""
    (checkout / "contracts/pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
    (checkout / "contracts/CHANGELOG.md").write_text(f"## [{version}]\n")


def write(checkout: Path) -> Path:
    return write_release(checkout / "contracts/released", checkout)


def test_the_released_folders_are_as_they_were_released() -> None:
    assert VERSION in [release.name for release in released()]


def test_every_release_has_its_line_in_the_changelog() -> None:
    text = (REPOSITORY / "contracts/CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for release in released() if f"## [{(name := release.name)}]" not in text] == []


def test_a_release_holds_schemas_golden_messages_and_every_description() -> None:
    for release in released():
        assert release.schemas.keys() == release.golden.keys()
        services = ("command-service", "query-service")
        assert set(release.api) == {f"{one}.{kind}" for one in services for kind in ("openapi", "asyncapi")}


def test_a_release_has_the_status_of_every_code_that_its_descriptions_name() -> None:
    for release in released():
        documents = [document for name, document in release.api.items() if name.endswith(".openapi")]
        for document in documents:
            assert set(document["components"]["schemas"]["Code"]["enum"]) == release.codes.keys()
        found = [statuses_of(one) for document in documents for _, _, one in operations_of(whole(document))]
        assert any(found)
        for statuses in found:
            assert {code: str(release.codes[code]) for code in statuses} == statuses


def test_the_sums_are_those_that_sha256sum_checks() -> None:
    if (program := shutil.which("sha256sum")) is None:
        pytest.skip("sha256sum is not installed")
    subprocess.run([program, "--check", "--quiet", "sha256.txt"], cwd=RELEASED / VERSION, check=True)


def test_the_same_release_twice_changes_nothing(checkout: Path) -> None:
    place = write(checkout)
    before = {path: path.read_bytes() for path in place.rglob("*.*")}
    assert write(checkout) == place
    assert {path: path.read_bytes() for path in place.rglob("*.*")} == before


def test_an_edited_release_is_refused_by_name(checkout: Path) -> None:
    place = write(checkout)
    path = place / "schemas" / "notes.command.create-note.v1.json"
    path.write_text(path.read_text().replace("200", "300"))
    expected = "1.1.0 is not as it was released, schemas/notes.command.create-note.v1.json: take it from the history"
    with pytest.raises(GateError, match=expected):
        released(checkout / "contracts/released")


def test_a_file_that_was_taken_out_of_a_release_is_missed(checkout: Path) -> None:
    (write(checkout) / "golden" / "notes.command.create-note.v1.json").unlink()
    with pytest.raises(GateError, match=r"not as it was released, golden/notes\.command\.create-note\.v1\.json"):
        released(checkout / "contracts/released")


def test_what_changed_needs_a_new_version(checkout: Path) -> None:
    write(checkout)
    schema = checkout / "contracts/schemas/notes.command.create-note.v1.json"
    schema.write_text(schema.read_text().replace("Create a note", "Make a note"))
    with pytest.raises(GateError, match=r"^1\.1\.0 is released and stays as it is: raise the version"):
        write(checkout)


def test_a_version_comes_after_all_others(checkout: Path) -> None:
    say(checkout, "1.10.0")
    write(checkout)
    say(checkout, "1.9.0")
    with pytest.raises(GateError, match=r"^1\.9\.0 would come after 1\.10\.0"):
        write(checkout)


def test_a_version_needs_a_word_in_the_changelog(checkout: Path) -> None:
    (checkout / "contracts/CHANGELOG.md").write_text("# Changelog\n")
    with pytest.raises(GateError, match=r"^contracts/CHANGELOG\.md says nothing of 1\.1\.0"):
        write(checkout)


def test_make_gate_says_that_nobody_is_broken() -> None:
    command = [sys.executable, "-m", "tools.contract_gate", "check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("nobody is broken: compared with 1.0.0")
