"""YAML front matter, as it comes out of a whole file."""

from pathlib import Path

import pytest

from tools.markdown_import.files import NoteFile, read_note_file


def read(tmp_path: Path, text: str) -> NoteFile:
    (tmp_path / "a.md").write_bytes(text.encode())
    return read_note_file(tmp_path, "a.md")


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
def test_tags_in_every_form_are_read_as_written(tmp_path: Path, block: str, tags: tuple[str, ...]) -> None:
    parsed = read(tmp_path, f"---\n{block}\n---\n# Body\n" if block else "---\n---\n# Body\n")
    assert (parsed.body, parsed.tags) == ("# Body\n", tags)


@pytest.mark.parametrize(
    ("block", "tags", "warning"),
    [
        ("tags: [ok, not ok]", ("ok",), "tags were dropped: 'not ok' (1 in all)"),
        ("tags: [ok, {a: b}]", ("ok",), "tags were dropped: one that is not text (1"),
        ("tags: {a: b}", (), "tags were dropped: one that is not text"),
        ("title: {a: b}", (), "its title was dropped"),
        (f"tags: [{', '.join(f't{n}' for n in range(23))}]", tuple(f"t{n}" for n in range(20)), "first 20 of its 23"),
    ],
)
def test_a_tag_that_is_none_is_dropped_with_a_warning(
    tmp_path: Path, block: str, tags: tuple[str, ...], warning: str
) -> None:
    parsed = read(tmp_path, f"---\n{block}\n---\nBody")
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
def test_what_is_no_front_matter_stays_in_the_body(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)
    assert (found.body, found.tags, found.warnings) == (text, (), [])


@pytest.mark.parametrize("block", ["tags: [a", "a: b: c", "\x07", "[" * 600, "a: *missing"])
def test_broken_yaml_is_a_warning_and_stays_in_the_body(tmp_path: Path, block: str) -> None:
    text = f"---\n{block}\n---\nBody"
    parsed = read(tmp_path, text)
    assert (parsed.body, parsed.tags) == (text, ())
    [told] = parsed.warnings
    assert "is not YAML" in told


@pytest.mark.parametrize("end", ["---", "---  ", "..."])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_body_begins_after_the_closing_line_and_keeps_its_line_ends(tmp_path: Path, end: str, newline: str) -> None:
    text = newline.join(["---", "tags: a", end, "", "Body", ""])
    assert read(tmp_path, text).body == newline.join(["", "Body", ""])


def test_front_matter_alone_has_an_empty_body(tmp_path: Path) -> None:
    assert read(tmp_path, "---\ntags: a\n---").body == ""


def test_of_many_faults_some_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    [warning] = read(tmp_path, f"---\ntags: [{', '.join(['no good'] * 1000)}]\n---\n").warnings
    assert warning.count("no good") == 5
    assert "(1,000 in all)" in warning
