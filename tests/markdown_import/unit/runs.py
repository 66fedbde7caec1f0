"""Runs of the importer against the write side in memory."""

import asyncio
from pathlib import Path
from uuid import UUID

from tests.markdown_import.unit.write_side import Fuse, KilledError, MemoryBus, WriteSide
from tools.markdown_import.discovery import find_markdown
from tools.markdown_import.importer import Importer
from tools.markdown_import.ledger import Ledger
from tools.markdown_import.naming import note_id_of
from tools.markdown_import.preparation import Preparation
from tools.markdown_import.report import Report
from tools.markdown_import.state_file import StateFile

NAMESPACE = UUID("0b1f5a4e-4c63-4c57-9c5e-1d2c3b4a5f60")


class Silence:
    def advance(self) -> None:
        pass


class Folder:
    """A folder, its state file and the system it is imported into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.side = WriteSide()
        self.state_path = path / ".state.json"

    def bodies(self, name: str) -> list[str]:
        """Return every body the note of a file ever had."""
        return self.side.notes[self.note_id(name)].bodies

    def note_id(self, name: str) -> str:
        return note_id_of(NAMESPACE, f"{name}.md")

    def run(self, bus: MemoryBus | None = None, *, force: bool = False, patience: float = 30) -> Report:
        """Import, as a process that ends well or with an exception."""
        with StateFile(self.state_path, NAMESPACE, NAMESPACE) as state:
            return self._import(state, bus or MemoryBus(self.side), force=force, patience=patience)

    def run_until_killed(self, fuse: Fuse) -> bool:
        """Import, as a process that is killed where the fuse says; True if it came through."""
        state = None
        try:
            state = StateFile(self.state_path, NAMESPACE, NAMESPACE)
            self._import(state, MemoryBus(self.side, fuse), force=False, patience=30)
            state.fold()
        except KilledError:
            return False
        finally:
            if state:
                state._journal.close(remove=False)
        return True

    def _import(self, state: StateFile, bus: MemoryBus, *, force: bool, patience: float) -> Report:
        report = Report()
        paths = find_markdown(self.path).paths
        preparation = Preparation(self.path, state, Ledger(report, Silence()), force)
        asyncio.run(Importer(preparation, bus, patience).run(paths))
        return report
