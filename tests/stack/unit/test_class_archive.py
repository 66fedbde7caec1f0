"""Kafka's classes are kept once a machine, and no failure of that is in the way of anything."""

from pathlib import Path

import pytest

from tools.stack import class_archive
from tools.stack.folder import Folder
from tools.stack.progress import Steps

JAVA = """#!/bin/sh
for word in "$@"; do
  case "$word" in -XX:SharedArchiveFile=*) echo classes >"${word#*=}" ;; esac
done
echo "said by Java"
exit CODE
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(class_archive, "class_path", lambda: "jars/*")
    made = Folder(tmp_path / "stack")
    made.create()
    return made


def java(folder: Folder, code: int) -> str:
    path = folder.root / f"java-{code}"
    path.write_text(JAVA.replace("CODE", str(code)))
    path.chmod(0o755)
    return str(path)


def made_by(folder: Folder, program: str) -> None:
    class_archive.make(folder, lambda: program, Steps(quiet=True))


def test_a_broker_notes_its_classes_until_there_is_an_archive_of_them(folder: Folder) -> None:
    program = java(folder, 0)
    made_by(folder, program)
    assert not class_archive.archive(program).exists(), "no broker has run"
    (noted,) = class_archive.options(program, folder)
    assert noted.startswith("-XX:DumpLoadedClassList=")
    names = Path(noted.partition("=")[2])
    names.touch()
    made_by(folder, program)
    assert class_archive.options(program, folder) == [f"-XX:SharedArchiveFile={class_archive.archive(program)}"]
    assert not names.exists()


def test_a_java_that_fails_leaves_a_log_and_nothing_else(folder: Folder) -> None:
    program = java(folder, 1)
    Path(class_archive.options(program, folder)[0].partition("=")[2]).touch()
    made_by(folder, program)
    assert "said by Java" in folder.log("kafka-classes").read_text()
    cache = class_archive.archive(program).parent
    assert list(cache.glob("kafka-classes-*")) == []


def test_another_java_has_an_archive_of_its_own(folder: Folder) -> None:
    assert class_archive.archive(java(folder, 0)) != class_archive.archive(java(folder, 1))
