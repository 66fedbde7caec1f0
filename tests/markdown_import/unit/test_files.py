import os
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from tools.markdown_import.files import (
    SIZE_MAX,
    find_markdown,
    namespace_of,
    note_id_of,
    read_note_file,
)
from tools.markdown_import.importer import Report

NAMES = (
    "b/deep/z.md",
    "b/a.MD",
    "a.md",
    "c.Markdown",
    ".git/x.md",
    "b/.venv/x.md",
    "b/node_modules/x.md",
    "a.txt",
    "md",
)


def test_markdown_is_found_below_the_folder_sorted_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for name in (*NAMES, "../folder-2/outside.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "loop").symlink_to(folder)
    (folder / "folder.md").mkdir()
    (folder / "here.md").symlink_to("a.md")
    (folder / "nowhere.md").symlink_to("missing.md")
    (folder / "round.md").symlink_to("round.md")
    (folder / "out.md").symlink_to("../folder-2/outside.md")
    (folder / "b" / "out.md").symlink_to(tmp_path / "folder-2" / "outside.md")
    (tmp_path / "link").symlink_to(folder)
    for way in (folder, tmp_path / "link"):
        report = Report()
        found = find_markdown(way, report.book)
        assert found == ["a.md", "b/a.MD", "b/deep/z.md", "c.Markdown", "here.md", "nowhere.md", "round.md"]
        assert sorted(report.told) == [
            ("left out", ".git", "a hidden folder"),
            ("left out", "b/.venv", "a hidden folder"),
            ("left out", "b/node_modules", "a folder of packages"),
            ("left out", "b/out.md", "a link that leads out of the folder"),
            ("left out", "loop", "a link to a folder"),
            ("left out", "out.md", "a link that leads out of the folder"),
        ]


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    report = Report()
    assert find_markdown(tmp_path, report.book) == []
    [(kind, path, reason)] = report.told
    assert (kind, path) == ("unreadable", "locked")
    assert "Permission denied" in reason


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Heading\n", "Heading"),
        ("no heading", "the.file"),
        ("# \n", "the.file"),
        (f"# {'é' * 300}\n", "é" * 200),
        (f"# {'x' * 199} y\n", "x" * 199),
        ("---\ntitle: npm-ci\n---\n# Synopsis\n", "npm-ci"),
        ("---\ntitle: >\n  On two\n  lines\n---\n", "On two lines"),
        (f"---\ntitle: {'é' * 300}\n---\n", "é" * 200),
        ("---\ntitle: 2024\n---\n# Heading\n", "2024"),
        ("---\ntitle: null\n---\n# Heading\n", "Heading"),
        ("---\ntitle: ' '\n---\n# Heading\n", "Heading"),
        ("---\ntitle: [a]\n---\n# Heading\n", "Heading"),
        ("---\ntitle: a: b\n---\n# Heading\n", "Heading"),
        ("---\ntitle: a: b\n---\n", "the.file"),
        ("---\ntitle:forgotten space\n---\n", "the.file"),
        (f"---\na: {'x' * 70_000}\n---\n# Heading\n", "Heading"),
    ],
)
def test_the_title_is_that_of_the_front_matter_else_the_first_heading_else_the_files_name(
    tmp_path: Path, text: str, title: str
) -> None:
    (tmp_path / "the.file.md").write_text(text, encoding="utf-8")
    assert read_note_file(tmp_path, "the.file.md").title == title


def test_the_body_is_kept_to_the_letter_but_for_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbf---\r\ntags: a\r\n---\r\n# T\r\n\x0b\xe2\x80\xa8 end  ")
    note = read_note_file(tmp_path, "a.md")
    assert (note.body, note.tags, note.title) == ("# T\r\n\x0b\u2028 end  ", ("a",), "T")


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes(b"\xff")
    (tmp_path / "nowhere.md").symlink_to("missing")
    with (tmp_path / "huge.md").open("wb") as file:
        file.truncate(SIZE_MAX + 1)
    os.mkfifo(tmp_path / "pipe.md")
    for path, reason in {
        "latin.md": "codec can't decode byte 0xff in position 0: invalid start byte",
        "nowhere.md": "it is no file, or not there",
        "huge.md": "it is larger than any note can be",
        "pipe.md": "it is no file",
        "\udcff.md": "codec can't encode character",
    }.items():
        with pytest.raises(ValueError, match=reason):
            read_note_file(tmp_path, path)


def test_a_namespace_is_a_uuid_or_any_name() -> None:
    some = "0B1F5A4E-4c63-4c57-9c5e-1d2c3b4a5f60"
    assert namespace_of(some, Path()) == UUID(some)
    assert namespace_of("docs", Path()) == uuid5(NAMESPACE_URL, "docs")
    assert note_id_of(UUID(some), "a/b.md") == str(uuid5(UUID(some), "a/b.md"))


def test_two_folders_without_a_name_do_not_claim_the_same_notes(tmp_path: Path) -> None:
    one, other = namespace_of(None, tmp_path / "one"), namespace_of(None, tmp_path / "other")
    assert one != other
    assert one == namespace_of(None, tmp_path / "other" / ".." / "one")
