"""Text as it is compared: composed, without case and accents; and as it is indexed where words have no spaces."""

import re
from typing import Final
from unicodedata import category, combining, normalize

_JOINERS: Final = frozenset({0x00AD, 0x200C, 0x200D})
"""Within words, and in no comparison: soft hyphen, zero-width non-joiner and joiner."""
_MARKS: Final = range(0x0300, 0x0370)
"""Accents that no letter is composed with."""
# Han, kana and Hangul. A single one may be a word.
_EAST: Final = (
    "\u1100-\u11ff\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# Thai, Lao, Burmese and Khmer.
_SOUTH_EAST: Final = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
RUN: Final = _EAST + _SOUTH_EAST
"""Characters of words that are written without spaces, as a part of a pattern's class."""
_RUN: Final = re.compile(f"[{_EAST}]+|[{_SOUTH_EAST}]+")
_PARTS: Final = re.compile(f"[{_EAST}]+|[{_SOUTH_EAST}]+|[^{RUN}]+")
_IN_EAST: Final = re.compile(f"[{_EAST}]")
MARKS_MAX: Final = 30
"""Marks of one letter that are compared, as many as Unicode's stream-safe text has (UAX #15).

Putting them in order costs the square of their number: 100,000 held the process for 15 s.
"""
_COMBINING: Final = "".join(filter(combining, map(chr, range(0x0300, 0x1F000))))
_STACK: Final = re.compile(f"[{_COMBINING}][{_COMBINING}]{{{MARKS_MAX},}}")
# A class without characters above U+FFFF is looked up in a table, and any other one by one: ten times as slow.
_IN_TABLE: Final = "".join(mark for mark in _COMBINING if mark < "\U00010000")
_RARE: Final = re.compile("[\U00010000-\U0001efff]")
"""Where marks are that are not in the table; emojis are above."""
_USUAL_STACK: Final = re.compile(f"[{_IN_TABLE}][{_IN_TABLE}]{{{MARKS_MAX},}}")


class _Plain(dict[int, str]):
    """What stands for a character: letters, digits, marks and `_` as they are compared, a space for all else."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        parts = normalize("NFD", character)
        if code in _JOINERS or code in _MARKS:
            found = ""
        elif category(character)[0] not in "LMN" and character != "_":
            found = " "
        else:
            found = (parts[0] if all(map(combining, parts[1:])) else character).casefold()
        self[code] = found
        return found


_PLAIN: Final = _Plain()


def composed(text: str) -> str:
    """Return a text in Unicode's form NFC. Of more marks in a row than MARKS_MAX, the first ones stay."""
    if text.isascii():
        return text
    stack = _STACK if _RARE.search(text) else _USUAL_STACK
    return normalize("NFC", stack.sub(lambda found: found[0][:MARKS_MAX], text))


def plain(text: str) -> str:
    """Return a text as it is compared. It may be longer or shorter: `ß` is `ss`."""
    return text.lower() if text.isascii() else composed(text).translate(_PLAIN)


def same_name(text: str) -> str:
    """Return what two names have in common that differ in case alone, or in how their accents are written."""
    return text.lower() if text.isascii() else composed(normalize("NFD", composed(text)).casefold())


def indexed(text: str) -> str:
    """Return the plain text with its runs of words without spaces in pairs of characters, as MongoDB indexes them.

    Every pair is there, and in Han, kana and Hangul every character too: `abc` is `a ab b bc c`. So whatever is a part
    of a run is a part of what stands for the run.
    """
    text = plain(text)
    return text if text.isascii() else _RUN.sub(lambda run: f" {_pairs(run[0])} ", text)


def _pairs(run: str) -> str:
    pairs = [run[place : place + 2] for place in range(len(run) - 1)]
    if not _IN_EAST.match(run):
        return " ".join(pairs or [run])
    return " ".join([*(part for pair in pairs for part in (pair[0], pair)), run[-1]])


def is_run(word: str) -> bool:
    """Return whether a plain word is one that is found within a run."""
    return _RUN.fullmatch(word) is not None


def parts_of(word: str) -> list[str]:
    """Return the runs in a plain word, and what is between them."""
    return _PARTS.findall(word)


def first_term(run: str) -> str:
    """Return a term that every text has which contains the run: its first pair that begins with a letter, or itself."""
    pairs = [run[place : place + 2] for place in range(len(run) - 1)]
    return next((pair for pair in pairs if category(pair[0])[0] == "L"), pairs[0] if pairs else run)


def as_indexed(run: str) -> str:
    """Return what the indexed text has wherever the text has this run."""
    pairs = _pairs(run)
    return pairs[len(run[0]) + 1 : -len(run[-1]) - 1] if len(run) > 1 and _IN_EAST.match(run) else pairs
