"""Runs of the importer against the write side in memory."""

import asyncio
from pathlib import Path
from uuid import UUID

from tests.markdown_import.unit.write_side import MemoryKafka, WriteSide
from tools.markdown_import.chain import opened_state
from tools.markdown_import.files import find_markdown, note_id_of
from tools.markdown_import.importer import Importer, Report

NAMESPACE = UUID("0b1f5a4e-4c63-4c57-9c5e-1d2c3b4a5f60")


class Folder:
    """A folder, its state file and the system it is imported into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.side = WriteSide()
        self.state_path = path / ".state.json"

    def bodies(self, name: str) -> list[str]:
        """Return the body of every version of a file's note."""
        return [version.body for version in self.side.notes[self.note_id(name)].versions]

    def note_id(self, name: str) -> str:
        return note_id_of(NAMESPACE, f"{name}.md")

    def run(
        self,
        kafka: MemoryKafka | None = None,
        *,
        force: bool = False,
        patience: float = 30,
        query_url: str | None = None,
    ) -> Report:
        """Import, as a process that ends well or with an exception."""
        report = Report()
        with opened_state(self.state_path, NAMESPACE, "system", asked=True) as state:
            bus = kafka or MemoryKafka(self.side)
            importer = Importer(self.path, state, bus, report, force, patience, query_url)  # type: ignore[arg-type]
            asyncio.run(importer.run(find_markdown(self.path)))
        return report


def told(report: Report, kind: str) -> list[tuple[str, str]]:
    """Return (path, reason) of what the report names as `kind`."""
    return [(path, reason) for each, path, reason in report.told if each == kind]
