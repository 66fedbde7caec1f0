"""Texts as they are compared."""

import time
from unicodedata import normalize

import pytest

from notes_query.projections.plain_text import indexed, plain, same_name


@pytest.mark.parametrize("text", ["Äpfel", "Phở Đường", "한국어", "naïve café", "Ångström", "ΣΊΣΥΦΟΣ", "が"])
def test_a_decomposed_text_is_the_composed_one(text: str):
    assert plain(normalize("NFD", text)) == plain(normalize("NFC", text))
    assert indexed(normalize("NFD", text)) == indexed(normalize("NFC", text))
    assert same_name(normalize("NFD", text)) == same_name(normalize("NFC", text))


@pytest.mark.parametrize(
    ("one", "other"),
    [("STRASSE", "Straße"), ("Σίσυφος", "ΣΊΣΥΦΟΣ"), ("x\u0302yz", "xyz"), ("ﬁn", "FIN"), ("İstanbul", "istanbul")],
)
def test_case_and_accents_do_not_matter(one: str, other: str):
    assert plain(one) == plain(other)


def test_names_differ_by_their_accents_and_not_by_their_case():
    assert same_name("JOSÉ") == same_name("jose\u0301") == "josé"
    assert same_name("José") != same_name("Jose")
    assert same_name("STRASSE") == same_name("straße")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Bread, and BUTTER", "bread, and butter"),
        ("é東京都x", "e 東 東京 京 京都 都 x"),
        ("ไทย é", "ไท ทย e"),
        ("猫é", "猫 e"),
        ("한국, é", "한 한국 국 e"),
        ("«é» €5", "e 5"),
        ("می\u200cشود", "میشود"),
    ],
)
def test_runs_are_indexed_in_pairs_and_what_makes_no_word_is_a_space(text: str, found: str):
    assert " ".join(indexed(text).split()) == found


@pytest.mark.parametrize(
    "marks", ["\u0301\u0323" * 50_000, "\u0301" * 50_000 + "\u0323" * 50_000, "\U0001e94a\u0f71" * 50_000]
)
def test_a_letter_with_very_many_marks_costs_no_more_than_any_text(marks: str):
    before = time.process_time()
    assert plain(f"be{marks}d") == plain("be" + marks[:30] + "d")
    assert len(same_name(f"be{marks}d")) < 40
    assert len(indexed(f"猫{marks}")) < 40
    assert time.process_time() - before < 2, "it was 15 s"
