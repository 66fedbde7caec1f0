import re
from typing import Any
from unicodedata import normalize

import pytest

from notes_query.projections.plain_text import indexed
from notes_query.reads import words as of_words
from notes_query.reads.words import BEFORE, LENGTH, pattern_of, terms_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Käse, BROT; käse", ["kase", "brot"]),
        ('-not "a phrase" (or) $where', ["not", "a", "phrase", "or", "where"]),
        ("snake_case don't", ["snake_case", "don", "t"]),
        ("हिन्दी 日本語", ["हिन्दी", "日本語"]),
        ("e\u0301cole", ["ecole"]),
        ("!?… \0", []),
    ],
)
def test_a_text_is_searched_by_its_words_folded_and_without_punctuation(text: str, words: list[str]):
    assert words_of(text) == words


def test_nothing_that_mongodb_takes_for_an_operator_is_asked_for():
    assert terms_of(words_of('-a "b c" d-e')) == "a b c d e"


@pytest.mark.parametrize(
    ("text", "words", "terms", "pattern"),
    [
        ("東京", ["東京"], "東京", None),
        ("猫", ["猫"], "猫", None),
        ("東京都", ["東京都"], "東京", "東京 京 京都"),
        ("iPhone東京 x", ["iphone", "東京", "x"], "iphone 東京 x", None),
        ("ภาษา x", ["ภาษา", "x"], "ภา x", "ภา าษ ษา|x"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", ["한글"], "한글", None),
    ],
)
def test_what_is_written_without_spaces_is_looked_for_by_pairs(
    text: str, words: list[str], terms: str, pattern: str | None
):
    assert words_of(text) == words
    assert terms_of(words) == terms
    assert pattern_of(words) == pattern
    assert pattern is None or re.search(pattern, indexed(f"私は{text}です")) is not None


def snippet_of(note: dict[str, Any], words: list[str], looked: int = 100_000) -> str:
    return of_words.snippet_of(note, words, looked)


def note(body: str, title: str = "The title") -> dict[str, Any]:
    return {"title": title, "body": body}


def test_a_snippet_is_the_body_around_the_first_word():
    body = "filler " * 100 + "here is\nthe\tNeedle, found " + "filler " * 100

    snippet = snippet_of(note(body), ["needle"])

    assert "here is the Needle, found" in snippet
    assert snippet.startswith("…filler ")
    assert snippet.endswith(" filler…")
    assert snippet.index("Needle") <= BEFORE + 1
    assert len(snippet) <= LENGTH + 2


def test_words_are_found_whole_and_without_case_and_accents():
    assert snippet_of(note("x " * 90 + "needles " + "y " * 90 + "Nëedle."), ["needle"]).endswith("Nëedle.")
    assert "café" in snippet_of(note("x " * 200 + "cafe\u0301 y"), words_of("Café"))
    assert "STRASSE" in snippet_of(note("ß " * 200 + "STRASSE y " + "z " * 90), words_of("straße"))
    assert "東京都" in snippet_of(note("x" * 200 + "は東京都に" + "y" * 200), words_of("東京都"))
    assert "iPhone" in snippet_of(note("x " * 200 + "iPhone東京"), words_of("iphone"))


def test_without_a_word_in_the_body_the_title_shows_then_the_beginning_of_the_body():
    assert snippet_of(note("body", title="A needle"), ["needle"]) == "A needle"
    assert snippet_of(note("body " * 100, title="T"), ["tag"]).startswith("body body")
    assert snippet_of(note(""), ["tag"]) == ""


def test_a_text_without_any_space_is_cut_all_the_same():
    snippet = snippet_of(note("語" * 500 + " needle " + "語" * 500), ["needle"])

    assert "needle" in snippet
    assert len(snippet) <= LENGTH + 2


def test_what_a_regular_expression_would_read_is_only_text():
    assert snippet_of(note("x " * 200 + "a.b"), words_of("a.b (")).endswith("a.b")


FAMILY = "👩\u200d👩\u200d👧"


@pytest.mark.parametrize("grapheme", ["x\u0302\u0323", FAMILY, "👍🏽", "🇯🇵", "กำ", "का"])
def test_no_grapheme_is_cut_in_two(grapheme: str):
    grapheme = normalize("NFC", grapheme)
    for shift in range(12):
        body = "x" * shift + grapheme * 200 + " needle " + grapheme * 200
        piece = snippet_of(note(body), ["needle"]).strip("…")
        assert "needle" in piece
        assert piece.replace("needle", "").replace(" ", "").replace(grapheme, "") == ""
        assert len(piece) <= LENGTH + 16


def test_a_grapheme_without_end_is_cut():
    assert len(snippet_of(note("x" + "\u0323" * 10_000), ["needle"])) <= LENGTH + 2


@pytest.mark.parametrize("before", ["x ", "ß ", "\u200d", "e\u0301 ", "\u1112\u1161\u11ab ", "İ ", "👩\u200d👧 "])
def test_a_word_is_found_where_it_stands_however_long_what_is_before_it_is_compared(before: str):
    for count in (0, 1, 500, 511, 512, 513, 1_023, 1_024, 1_025, 3_000):
        body = normalize("NFC", before * count) + " needle " + "ß " * 200
        snippet = snippet_of(note(body), ["needle"])
        assert "needle" in snippet
        assert snippet.index("needle") <= BEFORE + 1


def test_a_place_in_a_long_text_is_found_in_a_few_steps(monkeypatch: pytest.MonkeyPatch):
    compared = list[int]()

    def plain(text: str) -> str:
        compared.append(len(text))
        return text.replace("ß", "ss")

    monkeypatch.setattr(of_words, "plain", plain)
    assert snippet_of(note("ß" * 99_900 + " needle"), ["needle"]).endswith("needle")
    assert len(compared) < 1_200


def test_words_are_looked_for_in_a_part_of_a_body_and_the_beginning_shows_what_is_not_found_there():
    body = "x " * 100 + "needle " + "y " * 500
    assert "needle" in snippet_of(note(body), ["needle"], 207)
    assert snippet_of(note(body), ["needle"], 207).endswith("needle…")
    assert snippet_of(note(body), ["needle"], 150).startswith("x x")
    assert snippet_of(note(body), ["needle"], 150).endswith("x…")
    assert snippet_of(note(body, title="A needle"), ["needle"], 150) == "A needle"
