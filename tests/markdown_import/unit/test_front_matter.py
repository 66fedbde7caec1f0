from dataclasses import replace

import pytest

from tools.markdown_import.front_matter import Parsed, parse_front_matter


@pytest.mark.parametrize(
    ("block", "tags"),
    [
        ("tags: [b, A, b]", ("b", "a")),
        ("tags: b, A ,", ("b", "a")),
        ("tags:\n  - b\n  - a-1", ("b", "a-1")),
        ("tags: [2024, yes, 1.0e3]", ("2024", "yes")),
        ("tags:", ()),
        ("tags: null", ()),
        ("tags: [null, a, ~, 'null']", ("a", "null")),
        ("tags:\n  - Null\n  -\n  - a", ("a",)),
        ("title: no tags", ()),
        ("# a comment alone", ()),
        ("", ()),
    ],
)
def test_tags_in_every_form_are_read_as_written(block: str, tags: tuple[str, ...]) -> None:
    parsed = parse_front_matter(f"---\n{block}\n---\n# Body\n" if block else "---\n---\n# Body\n")
    assert (parsed.body, parsed.tags) == ("# Body\n", tags)


@pytest.mark.parametrize(
    ("block", "tags", "warning"),
    [
        ("tags: [ok, not ok]", ("ok",), "the tag 'not ok' was dropped"),
        ("tags: [ok, {a: b}]", ("ok",), "a tag was dropped: it is not text"),
        ("tags: {a: b}", (), "its tags were dropped"),
        ("title: {a: b}", (), "its title was dropped"),
        (f"tags: [{', '.join(f't{n}' for n in range(23))}]", tuple(f"t{n}" for n in range(20)), "first 20 of its 23"),
    ],
)
def test_a_tag_that_is_none_is_dropped_with_a_warning(block: str, tags: tuple[str, ...], warning: str) -> None:
    parsed = parse_front_matter(f"---\n{block}\n---\nBody")
    assert (parsed.body, parsed.tags) == ("Body", tags)
    [told] = parsed.warnings
    assert warning in told


@pytest.mark.parametrize(
    "text",
    [
        "no front matter",
        "---\nnever closed\n",
        "---\ntext between two breaks\n---\n",
        "---\n- a list\n---\n",
        "text\n---\ntags: a\n---\n",
        " ---\ntags: a\n---\n",
    ],
)
def test_what_is_no_front_matter_stays_in_the_body(text: str) -> None:
    assert replace(parse_front_matter(text), heading_from=0) == Parsed(text)


@pytest.mark.parametrize("block", ["tags: [a", "a: b: c", "\x07", "[" * 5000, "a: *missing"])
def test_broken_yaml_is_a_warning_and_stays_in_the_body(block: str) -> None:
    text = f"---\n{block}\n---\nBody"
    parsed = parse_front_matter(text)
    assert (parsed.body, parsed.tags) == (text, ())
    [told] = parsed.warnings
    assert "is not YAML" in told


@pytest.mark.parametrize("end", ["---", "---  ", "..."])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_body_begins_after_the_closing_line_and_keeps_its_line_ends(end: str, newline: str) -> None:
    text = newline.join(["---", "tags: a", end, "", "Body", ""])
    assert parse_front_matter(text).body == newline.join(["", "Body", ""])


def test_front_matter_alone_has_an_empty_body() -> None:
    assert parse_front_matter("---\ntags: a\n---").body == ""


def test_of_many_faults_some_are_named_and_the_rest_counted() -> None:
    parsed = parse_front_matter(f"---\ntags: [{', '.join(['no good'] * 1000)}]\n---\n")
    assert len(parsed.warnings) == 6
    assert parsed.warnings[-1] == "995 more tags were dropped"
