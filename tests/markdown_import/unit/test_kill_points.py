"""A run killed at any step, and repeated, has one effect; so it does when the machine loses what was not synced."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.markdown_import.unit.runs import Folder
from tests.markdown_import.unit.write_side import Fuse, write_files
from tools.markdown_import.journal import Journal
from tools.markdown_import.state_file import StateFile

A, B = "# A\n", "# B\n"


class Steps:
    """Puts the fuse between the steps of writing state; `power_cut`: the journal's unsynced end is lost."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fuse = Fuse()
        self.synced = 0
        append, sync, clear = Journal.append, Journal.sync, Journal.clear
        snapshot = StateFile._write_snapshot

        def torn_append(journal: Journal, values: list[Any]) -> None:
            try:
                self.fuse.step()
            except Exception:
                journal._file.write(b'["torn')
                journal._file.flush()
                raise
            append(journal, values)
            self.fuse.step()

        def watched_sync(journal: Journal) -> None:
            self.fuse.step()
            sync(journal)
            self.synced = journal._path.stat().st_size
            self.fuse.step()

        def watched_clear(journal: Journal) -> None:
            self.fuse.step()
            clear(journal)
            self.synced = 0
            self.fuse.step()

        def watched_snapshot(state: StateFile) -> None:
            self.fuse.step()
            snapshot(state)
            self.fuse.step()

        monkeypatch.setattr(Journal, "append", torn_append)
        monkeypatch.setattr(Journal, "sync", watched_sync)
        monkeypatch.setattr(Journal, "clear", watched_clear)
        monkeypatch.setattr(StateFile, "_write_snapshot", watched_snapshot)

    def killed_everywhere(self, folder: Folder, *, power_cut: bool) -> Iterator[int]:
        """Kill the next run at each of its steps in turn, from the same start; yield after each kill."""
        start = folder.path.with_name("start")
        shutil.rmtree(start, ignore_errors=True)
        shutil.copytree(folder.path, start)
        side = folder.side
        at = 0
        while True:
            shutil.rmtree(folder.path)
            shutil.copytree(start, folder.path)
            folder.side = type(side).copy_of(side)
            self.fuse.left, self.synced = at, 0
            through = folder.run_until_killed(self.fuse)
            self.fuse.left = None
            if through:
                return
            journal = folder.path / ".state.json.journal"
            if power_cut and journal.exists():
                with journal.open("r+b") as file:
                    file.truncate(self.synced)
            yield at
            at += 1


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "notes").mkdir()
    return Folder(tmp_path / "notes")


@pytest.mark.parametrize("power_cut", [False, True])
@pytest.mark.parametrize("round_", [1, 2, 3])
def test_content_a_b_a_arrives_each_time_and_once(folder: Folder, steps: Steps, round_: int, power_cut: bool) -> None:
    contents = [A, B, A][:round_]
    for content in contents[:-1]:
        write_files(folder.path, one=content, two=content)
        assert folder.run().is_clean
    write_files(folder.path, one=contents[-1], two=contents[-1])

    kills = 0
    for _ in steps.killed_everywhere(folder, power_cut=power_cut):
        assert folder.run().is_clean
        assert folder.bodies("one") == folder.bodies("two") == contents
        assert folder.run().sent == 0
        kills += 1
    assert kills > 10


@pytest.mark.parametrize("power_cut", [False, True])
@pytest.mark.parametrize("before", [None, "# before\n"])
def test_content_changed_between_kill_and_repetition_is_what_remains(
    folder: Folder, steps: Steps, before: str | None, power_cut: bool
) -> None:
    if before:
        write_files(folder.path, one=before)
        folder.run()
    write_files(folder.path, one=A)
    seen = set()
    for _ in steps.killed_everywhere(folder, power_cut=power_cut):
        write_files(folder.path, one=B)
        assert folder.run().is_clean
        first = [before] if before else []
        bodies = folder.bodies("one")
        assert bodies in ([*first, A, B], [*first, B])
        seen.add(len(bodies))
        assert folder.run().sent == 0
    assert len(seen) == 2, "kills before and after publishing should both have been seen"


def test_content_changed_back_after_a_kill_is_what_remains(folder: Folder, steps: Steps) -> None:
    write_files(folder.path, one=A)
    folder.run()
    write_files(folder.path, one=B)
    for _ in steps.killed_everywhere(folder, power_cut=False):
        write_files(folder.path, one=A)
        assert folder.run().is_clean
        assert folder.bodies("one") in ([A], [A, B, A])
