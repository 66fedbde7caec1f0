"""What can go wrong with the stack, each with a sentence for the person at the terminal.

StackError          an address does not answer, a download failed, the present state forbids it, a run came to a wrong
│                   result; the text says which
├── MissingError    a program is not on this machine; a retry does not help
└── StartError      a server or service ended or did not answer in time; its log says why
"""

from pathlib import Path


class StackError(Exception):
    """A failure that is shown as text, without a traceback."""


class MissingError(StackError):
    """Nothing on this machine can play the part, and the text says how to get it."""


class BuildingError(Exception):
    """A service is well, and not ready before its read models are complete, however long that takes."""


class StartError(StackError):
    """A process ended early or stayed silent. Shows the last lines of its log, read at once, while they are its own."""

    def __init__(self, sentence: str, log: Path) -> None:
        lines = last_lines(log, 12)
        shown = "\n".join(f"  | {line}" for line in lines) or "  | (the log is empty)"
        super().__init__(f"{sentence}.\n{shown}\n  Log: {log}")


def in_short(error: BaseException) -> str:
    """Return an error as one line that fits a terminal; drivers write whole paragraphs."""
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}".strip(": ")[:160]


def last_lines(path: Path, count: int) -> list[str]:
    """Return at most `count` lines from the end of a text file, none if there is no such file."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64 * 1024))
        return file.read().decode(errors="replace").splitlines()[-count:]
