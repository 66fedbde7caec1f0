"""The piece of a note that shows why it was found. Plain text: whoever puts it on a page escapes it."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from unicodedata import normalize

from notes_query.reads.words import plain

LENGTH: Final = 160
"""Characters of a snippet, at most; an ellipsis at either end comes on top."""
BEFORE: Final = 60
"""How far a snippet begins before the word, at most."""
_EDGE: Final = 20
"""How far a cut may move to fall between two words."""


def snippet_of(note: Mapping[str, Any], words: Sequence[str]) -> str:
    """Return the body around the first of these plain words; else the title around it; else the body's beginning."""
    found_in = _pattern(tuple(words)).search
    body = normalize("NFC", note["body"])
    if match := found_in(plain(body)):
        return _cut(body, match.start())
    title = normalize("NFC", note["title"])
    if match := found_in(plain(title)):
        return _cut(title, match.start())
    return _cut(body, 0)


@lru_cache(maxsize=64)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    # The longest first: of two words that begin alike, the one that is there is found.
    alternatives = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")


def _cut(text: str, at: int) -> str:
    begin = max(0, at - BEFORE)
    end = min(len(text), begin + LENGTH)
    if begin > 0 and (gap := re.search(r"\s", text[begin : begin + _EDGE])):
        begin += gap.end()
    if end < len(text) and (gaps := list(re.finditer(r"\s", text[end - _EDGE : end]))):
        end -= _EDGE - gaps[-1].start()
    piece = " ".join(text[begin:end].split())
    return f"{'…' if begin > 0 else ''}{piece}{'…' if end < len(text) else ''}"
