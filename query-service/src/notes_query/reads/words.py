"""Words as the search compares them, without case and without accents; and the piece of a note that shows them."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from unicodedata import category, combining, normalize

LENGTH: Final = 160
"""Characters of a snippet, at most; an ellipsis at either end comes on top."""
BEFORE: Final = 60
"""How far a snippet begins before the word, at most."""
_EDGE: Final = 20
"""How far a cut may move to fall between two words."""
_OPERATORS: Final = str.maketrans('"-', "  ")


class _Plain(dict[int, str]):
    """Characters without case and without accents, one for one, so that places in the text stay the same."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        parts = normalize("NFD", character)
        found = parts[0].lower() if all(map(combining, parts[1:])) else character.lower()
        self[code] = found if len(found) == 1 else character
        return self[code]


_PLAIN: Final = _Plain()


def plain(text: str) -> str:
    """Return a composed text (NFC) as words are compared; every character keeps its place."""
    return text.lower() if text.isascii() else text.translate(_PLAIN)


def without_operators(text: str) -> str:
    """Return the text composed, and without what MongoDB's text search takes for operators: quotes and minus."""
    return normalize("NFC", text).translate(_OPERATORS)


def words_of(text: str) -> list[str]:
    """Return the plain words of a text, each once. Letters, marks, digits and `_` make words; all else ends them."""
    composed = plain(normalize("NFC", text))
    parts = "".join(c if c == "_" or category(c)[0] in "LMN" else " " for c in composed).split()
    return list(dict.fromkeys(parts))


def snippet_of(note: Mapping[str, Any], words: Sequence[str]) -> str:
    """Return the body around the first of these plain words; else the title around it; else the body's beginning.

    It is plain text: escape it before it becomes HTML.
    """
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
