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


def test_code_that_changed_without_a_new_version_is_found(copy: Path) -> None:
    (copy / "src" / "notes_chassis" / "planted.py").write_text("LIMIT = 1\n", encoding="utf-8")
    assert "raise the version" in (complaint(copy) or "")


def test_a_new_version_is_to_be_written_down(copy: Path) -> None:
    project = copy / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace('\nversion = "', '\nversion = "9'), encoding="utf-8")
    assert "make chassis-version" in (complaint(copy) or "")
