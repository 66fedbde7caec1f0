"""YAML front matter: the block between two `---` lines at the very start of a file."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from notes_contracts.fields import normalise_tag

MAX_TAGS = 20
"""More than these in one note are `too_many_tags`."""

_block = re.compile(r"---[ \t]*\r?\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE).match


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's text without its front matter, the tags named there, and what was wrong with them."""

    body: str
    tags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def parse_front_matter(text: str) -> Parsed:
    """Take the front matter off a text.

    A block that is no mapping is no front matter: two thematic breaks look alike. Broken YAML is a warning.
    """
    block = _block(text)
    if block is None:
        return Parsed(text)
    try:
        # Scalars stay the text that was written: the tag `2024` or `yes` is no number and no truth.
        fields = yaml.load(block["yaml"], Loader=yaml.BaseLoader)  # noqa: S506 - it makes text, lists, mappings
    except (yaml.YAMLError, RecursionError) as error:
        return Parsed(text, warnings=(f"its front matter is not YAML, so it was left in the body: {_first(error)}",))
    if fields is not None and not isinstance(fields, dict):
        return Parsed(text)
    tags, warnings = _tags((fields or {}).get("tags"))
    return Parsed(text[block.end() :], tags, warnings)


def _first(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 2}: " if mark else ""
    return where + (getattr(error, "problem", None) or str(error).partition("\n")[0])


def _tags(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if value is None:
        return (), ()
    if not isinstance(value, str | list):
        return (), ("its tags were dropped: neither a list nor names with commas",)
    tags: dict[str, None] = {}
    warnings = []
    for item in value.split(",") if isinstance(value, str) else value:
        if not isinstance(item, str):
            warnings.append("a tag was dropped: it is no text")
        elif name := item.strip():
            try:
                tags[normalise_tag(name)] = None
            except ValueError as error:
                warnings.append(f"the tag {name[:40]!r} was dropped: {error}")
    if len(tags) > MAX_TAGS:
        warnings.append(f"only the first {MAX_TAGS} of its {len(tags)} tags were kept")
    return tuple(tags)[:MAX_TAGS], tuple(warnings)
