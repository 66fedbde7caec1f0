"""Part two: the project's own Markdown comes in through the importer, and is read back."""

import subprocess
from tempfile import TemporaryDirectory
from uuid import uuid4

from tools.demo import show
from tools.demo.checks import check, check_fields
from tools.demo.reader import Reader
from tools.demo.system import ROOT, System
from tools.markdown_import.discovery import find_markdown
from tools.markdown_import.naming import namespace_of, note_id_of
from tools.markdown_import.note_file import NoteFile, read_note_file

SHOWN = 5
FAVOURITE = "README.md"


def import_and_read_back(system: System, reader: Reader) -> tuple[str, NoteFile]:
    """Import this checkout's Markdown; return the id of one note, and its file. Raises DemoError."""
    namespace = f"demo {uuid4()}"  # notes of its own, also on a system that has seen a demo before
    _import(system, namespace)
    files = {
        note_id_of(namespace_of(namespace), path): read_note_file(ROOT, path) for path in find_markdown(ROOT).paths
    }
    for number, (note_id, file) in enumerate(files.items()):
        view, seconds = reader.timed(note_id, 1)
        check_fields(file.path, view, _expected(note_id, file))
        if number < SHOWN:
            show.note(view, seconds, since="for the answer")
    if len(files) > SHOWN:
        show.say(f"… and {len(files) - SHOWN} more", style="dim")

    missing = {note_id: file.title for note_id, file in files.items()}
    for item in reader.summaries():
        if item["id"] in missing:
            check(f"the title of {item['id']} in the list", item["title"], missing.pop(item["id"]))
        if not missing:
            break
    check("notes that the list does not have", list(missing.values()), [])
    show.right(f"{len(files)} files are {len(files)} notes, every field as in the file, and all are in the list")
    return next(((id_, file) for id_, file in files.items() if file.path == FAVOURITE), next(iter(files.items())))


def _import(system: System, namespace: str) -> None:
    show.say(f"$ tools/import_markdown . --namespace '{namespace}'")
    with TemporaryDirectory() as folder:  # the checkout is not the demo's to write to
        state = ["--state", f"{folder}/state.json"]
        command = [str(ROOT / "tools" / "import_markdown"), ".", "--namespace", namespace, *state]
        done = subprocess.run(command, cwd=ROOT, env=system.environment, check=False)
    check("the importer's exit code", done.returncode, 0)


def _expected(note_id: str, file: NoteFile) -> dict[str, object]:
    return {
        "id": note_id,
        "title": file.title,
        "preview": file.body[:100],
        "word_count": len(file.body.split()),
        "tags": list(file.tags),
        "author": None,
        "status": "active",
        "version": 1,
    }
