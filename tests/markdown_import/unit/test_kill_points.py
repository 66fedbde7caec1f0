"""A run killed at any step, and repeated, has one effect."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.markdown_import.unit.runs import Folder
from tests.markdown_import.unit.write_side import Fuse, KilledError, MemoryKafka, Version, write_files

A, B = "# A\n", "# B\n"


class Kills:
    """Puts a fuse around every step that reaches the disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fuse = Fuse()
        monkeypatch.setattr(os, "fsync", self._fused(lambda _: None))  # the machine lives on
        for name in ("open", "replace"):
            monkeypatch.setattr(Path, name, self._fused(getattr(Path, name)))

    def _fused(self, do: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(do)
        def fused(*arguments: Any, **named: Any) -> Any:
            self.fuse.step()
            done = do(*arguments, **named)
            if done is None or isinstance(done, Path):  # a file that was opened would stay open
                self.fuse.step()
            return done

        return fused

    def everywhere(self, folder: Folder) -> Iterator[int]:
        """Kill the next run at each of its steps in turn, from the same start; yield after each kill."""
        start, side, at = folder.path.with_name("start"), folder.side, 0
        shutil.rmtree(start, ignore_errors=True)
        shutil.copytree(folder.path, start)
        while True:
            shutil.rmtree(folder.path)
            shutil.copytree(start, folder.path)
            folder.side = side.copy()
            self.fuse.left = at
            try:
                folder.run(MemoryKafka(folder.side, self.fuse))
            except KilledError:
                self.fuse.left = None
                yield at
                at += 1
            else:
                self.fuse.left = None
                return


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> Kills:
    return Kills(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "notes").mkdir()
    return Folder(tmp_path / "notes")


@pytest.mark.parametrize("round_", [1, 3])
def test_content_a_b_a_b_arrives_each_time_and_once(folder: Folder, kills: Kills, round_: int) -> None:
    contents = ["# T\nA\n", "# T\nB\n"] * 2
    for content in contents[: round_ - 1]:
        write_files(folder.path, one=content, two=content)
        assert folder.run().is_clean()
    write_files(folder.path, one=contents[round_ - 1], two=contents[round_ - 1])

    count = 0
    for _ in kills.everywhere(folder):
        assert folder.run().is_clean()
        assert folder.bodies("one") == folder.bodies("two") == contents[:round_]
        assert folder.run().counts["commands sent"] == 0
        count += 1
    assert count > 10


@pytest.mark.parametrize("before", [None, "---\ntags: [x, y]\n---\n# before\n"])
def test_content_changed_between_kill_and_repetition_is_what_remains(
    folder: Folder, kills: Kills, before: str | None
) -> None:
    if before:
        write_files(folder.path, one=before)
        folder.run()
    write_files(folder.path, one=f"---\ntags: [y, a]\n---\n{A}")
    seen = set()
    for _ in kills.everywhere(folder):
        write_files(folder.path, one=f"---\ntags: b\n---\n{B}")
        assert folder.run().is_clean()
        versions = folder.side.notes[folder.note_id("one")].versions
        assert versions[-1] == Version("B", B, ("b",))
        assert all(one != other for one, other in pairwise(versions))
        seen.add(A in folder.bodies("one"))
        assert folder.run().counts["commands sent"] == 0
    assert seen == {True, False}, "kills before and after publishing should both have been seen"


def test_content_changed_back_after_a_kill_is_what_remains(folder: Folder, kills: Kills) -> None:
    write_files(folder.path, one=A)
    folder.run()
    write_files(folder.path, one=f"---\ntags: b\n---\n{B}")
    for _ in kills.everywhere(folder):
        write_files(folder.path, one=A)
        assert folder.run().is_clean()
        assert folder.side.notes[folder.note_id("one")].versions[-1] == Version("A", A)
