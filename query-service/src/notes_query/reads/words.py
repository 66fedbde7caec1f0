"""Words as the search compares them: without case and without accents."""

from typing import Final
from unicodedata import category, combining, normalize

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
