"""The words of a search, and the piece of a note that shows them."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from unicodedata import category

from notes_query.projections.plain_text import RUN, as_indexed, composed, first_term, is_run, parts_of, plain

LENGTH: Final = 160
"""Most characters of a snippet, without the ellipsis at either end."""
BEFORE: Final = 60
"""Most characters of a snippet before the word."""
_EDGE: Final = 20
"""Characters by which a cut may move to fall between two words."""
_GRAPHEME: Final = 16
"""Characters by which a cut may move to fall between two graphemes."""
_CHUNK: Final = 1_024
"""Characters that are compared at a time to find an index. Single characters would take 50 ms for a body of 100,000."""
_HALVES: Final = 1_000
"""Halves of flags in a row that are counted."""
_JOINER: Final = "\u200d"


def words_of(text: str) -> list[str]:
    """Return the plain words of a text, each once. Letters, marks, digits and `_` make words; all else ends them.

    What is written without spaces is a word of its own, beside what stands before and behind it.
    """
    parts = "".join(c if c == "_" or category(c)[0] in "LMN" else " " for c in plain(text)).split()
    return list(dict.fromkeys(part for word in parts for part in parts_of(word)))


def terms_of(words: Sequence[str]) -> str:
    """Return what MongoDB's text search is asked for: there is no operator in it."""
    return " ".join(first_term(word) if is_run(word) else word for word in words)


def pattern_of(words: Sequence[str]) -> str | None:
    """Return a pattern that the indexed text of a note with any of these words matches; None if a term is enough.

    Terms are pairs of characters: a note may have the first pair of a word, and not the word.
    """
    if not any(is_run(word) and first_term(word) != as_indexed(word) for word in words):
        return None
    return "|".join(as_indexed(word) if is_run(word) else word for word in words)


def snippet_of(note: Mapping[str, Any], words: Sequence[str], looked: int) -> str:
    """Return the body around the first of these plain words; else the title around it; else the body's beginning.

    `looked`: how many characters of the body are searched. It is plain text: escape it before it becomes HTML.
    """
    body = composed(note["body"][:looked])
    more = len(note["body"]) > looked
    index = _index_of(body, tuple(words))
    if index is not None:
        return _cut(body, index, more=more)
    title = composed(note["title"])
    index = _index_of(title, tuple(words))
    if index is not None:
        return _cut(title, index)
    return _cut(body, 0, more=more)


def _index_of(text: str, words: tuple[str, ...]) -> int | None:
    """Return where the first of the words is in the text, None if it is not there."""
    compared = plain(text)
    found = _pattern(words).search(compared)
    if found is None or len(compared) == len(text):
        return None if found is None else found.start()
    index = 0
    seen = 0
    for size in (_CHUNK, 1):
        while index < len(text) and (after := seen + len(plain(text[index : index + size]))) <= found.start():
            index += size
            seen = after
    return min(index, len(text))


@lru_cache(maxsize=64)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    # The longest first: of two words that begin alike, the one that is there is found.
    longest_first = sorted(map(re.escape, words), key=len, reverse=True)
    within = [word for word in longest_first if is_run(word)]
    if whole := [word for word in longest_first if not is_run(word)]:
        # A run ends a word, though it is made of letters, too.
        letter = rf"[^\W{RUN}]"
        within.append(rf"(?<!{letter})(?:{'|'.join(whole)})(?!{letter})")
    return re.compile("|".join(within))


def _cut(text: str, index: int, *, more: bool = False) -> str:
    """Return the piece around an index; `more`: the text goes on behind its end."""
    begin = max(0, index - BEFORE)
    if begin > 0 and (gap := re.search(r"\s", text[begin : begin + _EDGE])):
        begin += gap.end()
    begin = _between_graphemes(text, begin)
    end = min(len(text), begin + LENGTH)
    if end < len(text) and (gaps := list(re.finditer(r"\s", text[end - _EDGE : end]))):
        end -= _EDGE - gaps[-1].start()
    end = _between_graphemes(text, end)
    piece = " ".join(text[begin:end].split())
    return f"{'…' if begin > 0 else ''}{piece}{'…' if more or end < len(text) else ''}"


def _between_graphemes(text: str, index: int) -> int:
    """Return the index, or a slightly lower one, at which no grapheme is cut in two."""
    least = max(index - _GRAPHEME, 0)
    for nearer in range(index, least, -1):
        if nearer == len(text) or not _belongs(text, nearer):
            return nearer
    return index if least else 0


def _belongs(text: str, index: int) -> bool:
    """Return whether the character at an index belongs to the grapheme of the character before it."""
    before, character = text[index - 1], text[index]
    if category(character)[0] == "M" or _JOINER in (before, character) or character in "\u0e33\u0eb3":
        return True
    if "\U0001f3fb" <= character <= "\U0001f3ff" or "\U000e0020" <= character <= "\U000e007f":
        return True  # colours of skin, and flags of regions
    if "\u1160" <= character <= "\u11ff":
        return True  # vowels and finals of Hangul that nothing is composed with
    if not _is_flag(character):
        return False
    halves = 0
    while halves < min(index, _HALVES) and _is_flag(text[index - 1 - halves]):
        halves += 1
    return halves % 2 == 1


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
