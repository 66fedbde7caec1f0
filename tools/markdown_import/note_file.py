"""One Markdown file as a note: title, body, tags."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from notes_contracts.fields import BODY_MAX, TITLE_MAX
from tools.markdown_import.front_matter import parse_front_matter
from tools.markdown_import.headings import first_heading

SIZE_MAX = 4 * BODY_MAX + 1024 * 1024
"""Bytes of the largest file that is read: a body's UTF-8 can take four a character, the rest is front matter."""


class UnreadableError(Exception):
    """The file cannot be read as text; the message says why."""


@dataclass(frozen=True, slots=True)
class NoteFile:
    """What a file says. `path` is relative to the folder. `content_hash` is the SHA-256 of the body, in hex."""

    path: str
    title: str
    body: str
    tags: tuple[str, ...]
    warnings: tuple[str, ...]
    content_hash: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "content_hash", sha256(self.body.encode()).hexdigest())


def read_note_file(folder: Path, path: str) -> NoteFile:
    """Read the file at `path` below `folder`. Raises UnreadableError.

    The body keeps its line ends; a byte order mark is taken off. The title is that of the front matter, else the
    first heading of what may be a body, cut to the length allowed, else the file's name without its suffix.
    """
    parsed = parse_front_matter(_text_of(folder / path))
    title = parsed.title or first_heading(parsed.body[parsed.heading_from :][:BODY_MAX]) or ""
    title = title[:TITLE_MAX].strip() or Path(path).stem[:TITLE_MAX]
    return NoteFile(path, title, parsed.body, parsed.tags, parsed.warnings)


def _text_of(file: Path) -> str:
    try:
        str(file).encode()
    except UnicodeEncodeError:
        raise UnreadableError("its name is not UTF-8") from None
    try:
        if not file.is_file():
            raise UnreadableError("is no file" if file.exists() else "is not there (any more)")
        with file.open("rb") as opened:
            raw = opened.read(SIZE_MAX + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None
    if len(raw) > SIZE_MAX:
        raise UnreadableError(f"is larger than any note can be: over {SIZE_MAX:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"is not UTF-8: {error.reason} at byte {error.start}") from None
