"""Markdown files: which there are below a folder, which note each is, and what it says."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import yaml
from markdown_it import MarkdownIt

from notes_contracts import parse_id
from notes_contracts.fields import BODY_MAX, TITLE_MAX, normalise_tag

SIZE_MAX = 4 * BODY_MAX + 1024 * 1024  # bytes that are read: a character can take four, the rest is front matter
YAML_MAX = 64 * 1024  # characters: PyYAML takes seconds for a megabyte
MAX_TAGS = 20  # more in one note are `too_many_tags`
FAULTS_MAX = 5  # tags of one file that are named as dropped

_block = re.compile(r"---[ \t]*\r?\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE).match
_markdown = MarkdownIt("commonmark").disable("inline")  # blocks alone, 20 levels deep: costs what the length says


class _Loader(yaml.BaseLoader):
    """Makes text, lists, mappings, and None of null: the tag `2024` is not a number, and `yes` not a truth."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), [*"~nN", ""])
_Loader.add_constructor("tag:yaml.org,2002:null", lambda *_: None)


@dataclass(frozen=True, slots=True)
class NoteFile:
    """What a file says. `path` is relative to the folder. `content_hash` is the SHA-256 of the body, in hex."""

    path: str
    title: str
    body: str
    tags: tuple[str, ...]
    warnings: tuple[str, ...]
    content_hash: str


def find_markdown(folder: Path, told: Callable[[str, str, str], None] = lambda *_: None) -> list[str]:
    """Return the relative paths of all Markdown files below `folder`, sorted.

    `told` is called with kind (`left out` or `unreadable`), path and reason for what is not among them.
    """
    found, inside = [], Path(os.path.realpath(folder))

    def keep(path: Path) -> bool:
        if why_not := _why_not(path, inside):
            told("left out", path.relative_to(folder).as_posix(), why_not)
        return not why_not

    def tell(error: OSError) -> None:
        told("unreadable", os.path.relpath(error.filename, folder), f"cannot be listed: {error.strerror}")

    for root, folders, files in os.walk(folder, onerror=tell):
        folders[:] = [name for name in sorted(folders) if keep(Path(root, name))]
        markdown = [Path(root, name) for name in files if name.lower().endswith((".md", ".markdown"))]
        found += [path.relative_to(folder).as_posix() for path in markdown if keep(path)]
    return sorted(found)


def _why_not(path: Path, inside: Path) -> str | None:
    if not path.is_dir():
        leaves = path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside)
        return "a link that leads out of the folder" if leaves else None
    if path.name.startswith("."):
        return "a hidden folder"
    if path.name == "node_modules":
        return "a folder of packages"
    return "a link to a folder" if path.is_symlink() else None


def namespace_of(name: str | None, folder: Path) -> UUID:
    """Return the namespace called `name`, else one of the folder: the README.md of two folders are not one note."""
    if name:
        return UUID(name) if parse_id(name) else uuid5(NAMESPACE_URL, name)
    return uuid5(uuid5(NAMESPACE_URL, "urn:notes:markdown-import"), folder.resolve().as_posix())


def note_id_of(namespace: UUID, path: str) -> str:
    """Return the id of the note that the file at `path` (relative, with forward slashes) is."""
    return str(uuid5(namespace, path))


def read_note_file(folder: Path, path: str) -> NoteFile:
    """Return what the file at `path` below `folder` says, its body to the letter. Raises OSError or ValueError.

    The title is that of the front matter, else the first heading, cut to the length allowed, else the file's name.
    """
    warnings = list[str]()
    fields, body, start = _front_matter(_text_of(folder, path), warnings)
    title = fields.get("title") or ""
    if not isinstance(title, str):
        warnings.append("its title was dropped: it is not text")
        title = ""
    title = " ".join(title.split()) or first_heading(body[start : start + BODY_MAX]) or ""
    title = title[:TITLE_MAX].strip() or Path(path).stem[:TITLE_MAX]
    tags = _tags(fields.get("tags"), warnings)
    return NoteFile(path, title, body, tags, tuple(warnings), sha256(body.encode()).hexdigest())


def _text_of(folder: Path, path: str) -> str:
    path.encode()  # a note's id is made of the name as UTF-8
    if not (folder / path).is_file():
        raise ValueError("it is no file, or not there any more")
    with (folder / path).open("rb") as opened:
        raw = opened.read(SIZE_MAX + 1)
    if len(raw) > SIZE_MAX:
        raise ValueError(f"it is larger than any note can be: over {SIZE_MAX:,} bytes")
    return raw.decode("utf-8-sig")


def _front_matter(text: str, warnings: list[str]) -> tuple[dict[Any, Any], str, int]:
    """Return the fields of the YAML front matter, the body, and where in that a heading may begin.

    A block that is not a mapping is not front matter: two thematic breaks look alike. Broken YAML is a warning.
    """
    block = _block(text)
    if block is None:
        return {}, text, 0
    fields, fault = None, f"it is longer than {YAML_MAX:,} characters" if len(block["yaml"]) > YAML_MAX else ""
    try:
        fields = fault or yaml.load(block["yaml"], Loader=_Loader)  # noqa: S506 - a BaseLoader
    except (yaml.YAMLError, RecursionError) as error:
        fault = f"it is not YAML, {getattr(error, 'problem', None) or str(error)[:200].partition(chr(10))[0]}"
    if fault:
        warnings.append(f"its front matter was left in the body: {fault}")
    if fault or not isinstance(fields, dict | None):
        return {}, text, block.end()
    return fields or {}, text[block.end() :], 0


def _tags(value: Any, warnings: list[str]) -> tuple[str, ...]:
    tags, dropped = dict[str, None](), list[str]()
    items = value.split(",") if isinstance(value, str) else [] if value is None else value
    for item in items if isinstance(items, list) else [items]:
        try:
            if name := item.strip() if item is not None else "":
                tags[normalise_tag(name)] = None
        except (AttributeError, ValueError):
            dropped.append(f"{item[:40]!r}" if isinstance(item, str) else "one that is not text")
    if dropped:
        warnings.append(f"tags were dropped: {', '.join(dropped[:FAULTS_MAX])} ({len(dropped):,} in all)")
    if len(tags) > MAX_TAGS:
        warnings.append(f"only the first {MAX_TAGS} of its {len(tags)} tags were kept")
    return tuple(tags)[:MAX_TAGS]


def first_heading(text: str) -> str | None:
    """Return the text, as written, of the first heading that has one and stands in no list or quotation."""
    tokens = _markdown.parse(text)
    headings = (after for token, after in pairwise(tokens) if token.type == "heading_open" and token.level == 0)
    return next((heading for each in headings if (heading := " ".join(each.content.split()))), None)
