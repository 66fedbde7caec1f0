"""A version of the chassis stands for one code: services pin it by its number."""

import shutil
from pathlib import Path

import pytest

from tools.chassis_version import CHASSIS, complaint


def test_the_version_is_that_of_the_code() -> None:
    assert complaint(CHASSIS) is None


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    copied = tmp_path / "chassis"
    shutil.copytree(CHASSIS, copied, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    return copied


@pytest.mark.parametrize("name", ["planted.py", "py.typed", "planted.json"])
def test_a_file_that_changed_without_a_new_version_is_found(copy: Path, name: str) -> None:
    (copy / "src" / "notes_chassis" / name).write_text("LIMIT = 1\n", encoding="utf-8")
    assert "raise the version" in (complaint(copy) or "")


def test_a_dependency_that_changed_without_a_new_version_is_found(copy: Path) -> None:
    project = copy / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace('"pyjwt>=2.12,<3"', '"pyjwt>=2.13,<3"'), encoding="utf-8")
    assert "raise the version" in (complaint(copy) or "")


def test_what_python_compiled_is_not_code(copy: Path) -> None:
    folder = copy / "src" / "notes_chassis" / "__pycache__"
    folder.mkdir()
    (folder / "planted.pyc").write_bytes(b"compiled")
    assert complaint(copy) is None


def test_a_new_version_is_to_be_written_down(copy: Path) -> None:
    project = copy / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace('\nversion = "', '\nversion = "9'), encoding="utf-8")
    assert "make chassis-version" in (complaint(copy) or "")
