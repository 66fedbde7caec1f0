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
TAGS_MAX = 20  # more in one note are `too_many_tags`

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
    warnings: list[str]
    content_hash: str


def find_markdown(folder: Path, told: Callable[[str, str, str], None] = lambda *_: None) -> list[str]:
    """Return the relative paths of all Markdown files below `folder`, sorted; `told` hears what is left out and why."""
    found, inside = list[str](), Path(os.path.realpath(folder))

    def keep(path: Path) -> bool:
        why_not = ""
        if path.is_symlink() and (path.is_dir() or not Path(os.path.realpath(path)).is_relative_to(inside)):
            why_not = "a link to a folder" if path.is_dir() else "a link that leads out of the folder"
        elif path.is_dir() and (path.name.startswith(".") or path.name == "node_modules"):
            why_not = "a hidden folder" if path.name.startswith(".") else "a folder of packages"
        if why_not:
            told("left out", path.relative_to(folder).as_posix(), why_not)
        return not why_not

    walk = os.walk(folder, onerror=lambda it: told("unreadable", os.path.relpath(it.filename, folder), str(it)))
    for root, folders, files in walk:
        folders[:] = [name for name in sorted(folders) if keep(Path(root, name))]
        markdown = [Path(root, name) for name in files if name.lower().endswith((".md", ".markdown"))]
        found += [path.relative_to(folder).as_posix() for path in markdown if keep(path)]
    return sorted(found)


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
    path.encode()  # a note's id is made of the name as UTF-8
    if not (folder / path).is_file():
        raise ValueError("it is no file, or not there any more")
    with (folder / path).open("rb") as opened:
        raw, warnings = opened.read(SIZE_MAX + 1), list[str]()
    if len(raw) > SIZE_MAX:
        raise ValueError(f"it is larger than any note can be: over {SIZE_MAX:,} bytes")
    fields, body, start = _front_matter(raw.decode("utf-8-sig"), warnings)
    title = fields.get("title") or ""
    if not isinstance(title, str):
        warnings.append("its title was dropped: it is not text")
        title = ""
    title = " ".join(title.split()) or first_heading(body[start : start + BODY_MAX]) or ""
    title = title[:TITLE_MAX].strip() or Path(path).stem[:TITLE_MAX]
    tags, content_hash = _tags(fields.get("tags"), warnings), sha256(body.encode()).hexdigest()
    return NoteFile(path, title, body, tags, warnings, content_hash)


def _front_matter(text: str, warnings: list[str]) -> tuple[dict[Any, Any], str, int]:
    """Return the fields of the YAML front matter, the body, and where in that a heading may begin."""
    block, fields = _block(text), None
    if block is None:
        return {}, text, 0
    try:
        if len(block["yaml"]) <= YAML_MAX:
            fields = yaml.load(block["yaml"] or "{}", Loader=_Loader) or {}  # noqa: S506 - a BaseLoader
        else:
            warnings.append(f"its front matter was left in the body: it is longer than {YAML_MAX:,} characters")
    except (yaml.YAMLError, RecursionError) as error:
        why = str(getattr(error, "problem", None) or error)[:200].partition("\n")[0]
        warnings.append(f"its front matter was left in the body: it is not YAML, {why}")
    # What is not a mapping is no front matter: two thematic breaks look alike.
    return (fields, text[block.end() :], 0) if isinstance(fields, dict) else ({}, text, block.end())


def _tags(value: Any, warnings: list[str]) -> tuple[str, ...]:
    tags, dropped = dict[str, None](), list[str]()
    items = value.split(",") if isinstance(value, str) else value or ()
    for item in items if isinstance(items, list | tuple) else [items]:
        try:
            if name := item.strip() if item is not None else "":
                tags[normalise_tag(name)] = None
        except (AttributeError, ValueError):
            dropped.append(f"{item[:40]!r}" if isinstance(item, str) else "one that is not text")
    if dropped:
        warnings.append(f"tags were dropped: {', '.join(dropped[:5])} ({len(dropped):,} in all)")
    if len(tags) > TAGS_MAX:
        warnings.append(f"only the first {TAGS_MAX} of its {len(tags)} tags were kept")
    return tuple(tags)[:TAGS_MAX]


def first_heading(text: str) -> str | None:
    """Return the text, as written, of the first heading that has one and stands in no list or quotation."""
    pairs = pairwise(_markdown.parse(text))
    headings = (" ".join(it.content.split()) for tag, it in pairs if tag.type == "heading_open" and not tag.level)
    return next(filter(None, headings), None)
