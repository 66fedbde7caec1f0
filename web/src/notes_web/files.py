"""The page's files, read once: what a request costs depends on nothing but the file's size."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
INDEX: Final = "index.html"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_LINKED: Final = re.compile(r'(?<=\s)(src|href)="/?([^":?#]+)"')


@dataclass(frozen=True, slots=True)
class File:
    """Content and its gzip, if that is smaller; `digest` names the content."""

    media_type: str
    content: bytes
    compressed: bytes | None
    digest: str


@dataclass(frozen=True, slots=True)
class Files:
    """The files by their path below the root. `digest` names the content of all of them."""

    by_path: Mapping[str, File]
    digest: str


def make_file(path: str, content: bytes) -> File:
    """Return a file of memory; its type is what the path's extension says."""
    compressed = gzip.compress(content, 9, mtime=0)
    return File(
        TYPES.get(Path(path).suffix, "application/octet-stream"),
        content,
        compressed if len(compressed) < len(content) else None,
        hashlib.sha256(content).hexdigest()[:32],
    )


def read_files(folder: Path = FOLDER) -> Files:
    """Return the files of a folder. Raises OSError: one cannot be read, or there is no index.html.

    What index.html links to gets the digest of all files into its path. Modules import each other by relative paths,
    so that all of them come from there, and a browser may keep them for ever: what changes has another path.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    if INDEX not in found:
        raise FileNotFoundError(f"{folder / INDEX} is missing")
    every = hashlib.sha256()
    for path, content in found.items():
        every.update(f"{path}\0{len(content)}\0".encode() + content)
    digest = every.hexdigest()[:16]

    def linked(match: re.Match[str]) -> str:
        attribute, path = match.groups()
        return f'{attribute}="/static/{digest}/{path}"' if path in found else match[0]

    found[INDEX] = _LINKED.sub(linked, found[INDEX].decode()).encode()
    return Files({path: make_file(path, content) for path, content in found.items()}, digest)
