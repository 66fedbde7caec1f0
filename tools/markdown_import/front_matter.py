"""YAML front matter: the block between two `---` lines at the very start of a file."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from notes_contracts.fields import normalise_tag

MAX_TAGS = 20
"""More than these in one note are `too_many_tags`."""
YAML_MAX = 64 * 1024
"""Characters of the longest front matter that is read: PyYAML takes seconds for a megabyte."""
FAULTS_MAX = 5
"""Tags of one file that are named as dropped."""

_block = re.compile(r"---[ \t]*\r?\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE).match


class _Loader(yaml.BaseLoader):
    """Makes text, lists and mappings: the tag `2024` or `yes` is not a number and not a truth. Only null is None."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), [*"~nN", ""])
_Loader.add_constructor("tag:yaml.org,2002:null", lambda *_: None)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's text without its front matter, what is named there, and what was wrong with it.

    `heading_from`: where in the body a heading may begin: after what may be meant as front matter.
    """

    body: str
    title: str | None = None
    tags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    heading_from: int = 0


def parse_front_matter(text: str) -> Parsed:
    """Take the front matter off a text.

    A block that is not a mapping is not front matter: two thematic breaks look alike. Broken YAML is a warning.
    """
    block = _block(text)
    if block is None:
        return Parsed(text)
    source = block["yaml"]
    if len(source) > YAML_MAX:
        return _broken(text, block.end(), f"it is longer than {YAML_MAX:,} characters")
    try:
        fields = yaml.load(source, Loader=_Loader)  # noqa: S506 - a BaseLoader
    except (yaml.YAMLError, RecursionError) as error:
        return _broken(text, block.end(), f"it is not YAML, {_first(error)}")
    if fields is not None and not isinstance(fields, dict):
        return Parsed(text, heading_from=block.end())
    title, no_title = _title((fields or {}).get("title"))
    tags, no_tags = _tags((fields or {}).get("tags"))
    return Parsed(text[block.end() :], title, tags, (*no_title, *no_tags))


def _broken(text: str, end: int, why: str) -> Parsed:
    return Parsed(text, warnings=(f"its front matter was left in the body: {why}",), heading_from=end)


def _first(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 2}: " if mark else ""
    return where + (getattr(error, "problem", None) or str(error).partition("\n")[0])[:200]


def _title(value: Any) -> tuple[str | None, tuple[str, ...]]:
    if value is None or isinstance(value, str):
        return " ".join((value or "").split()) or None, ()
    return None, ("its title was dropped: it is not text",)


def _tags(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if value is None:
        return (), ()
    if not isinstance(value, str | list):
        return (), ("its tags were dropped: neither a list nor names with commas",)
    tags: dict[str, None] = {}
    warnings = []
    for item in value.split(",") if isinstance(value, str) else value:
        if item is not None and not isinstance(item, str):
            warnings.append("a tag was dropped: it is not text")
        elif name := (item or "").strip():
            try:
                tags[normalise_tag(name)] = None
            except ValueError as error:
                warnings.append(f"the tag {name[:40]!r} was dropped: {error}")
    if len(warnings) > FAULTS_MAX:
        warnings[FAULTS_MAX:] = [f"{len(warnings) - FAULTS_MAX:,} more tags were dropped"]
    if len(tags) > MAX_TAGS:
        warnings.append(f"only the first {MAX_TAGS} of its {len(tags)} tags were kept")
    return tuple(tags)[:MAX_TAGS], tuple(warnings)
