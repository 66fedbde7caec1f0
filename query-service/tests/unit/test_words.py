from typing import Any

import pytest

from notes_query.reads.words import BEFORE, LENGTH, plain, snippet_of, without_operators, words_of


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
def test_words(text: str, words: list[str]):
    assert words_of(text) == words


def test_nothing_that_mongodb_takes_for_an_operator_is_left():
    assert without_operators('-a "b c" d-e') == " a  b c  d e"


def test_plain_text_keeps_its_places():
    text = "Äpfel ΣΊΣΥΦΟΣ İstanbul straße ﬁn ẞ 한국어"

    assert len(plain(text)) == len(text)
    assert plain(text).startswith("apfel ")


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
