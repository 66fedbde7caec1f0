"""Whatever is in a file, reading it costs no more than its length says."""

from pathlib import Path
from time import process_time

import pytest

from notes_contracts.fields import BODY_MAX
from tools.markdown_import.files import SIZE_MAX, read_note_file

MANY = BODY_MAX
BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40))])

HOSTILE = {
    "spaces in a heading": f"# a{' ' * MANY}b",
    "spaces and tabs in a heading": "#" + " \t" * MANY + "#",
    "marks that close a heading": f"# a {'# ' * MANY}b",
    "marks of a heading": "#" * MANY,
    "backticks": f"{'`' * MANY}x`",
    "a long fence and what does not close it": f"{'`' * MANY}\n{'`' * (MANY - 1)}\n" + "`" * 90 + "x",
    "tildes": f"{'~' * MANY}\n{'~' * MANY} x",
    "dashes": f"text\n{'-' * MANY}x",
    "a break that is none": f"{'- ' * MANY}x",
    "spaces in a break": f"-{' ' * MANY}-{' ' * MANY}x",
    "nested lists": "- " * MANY + "\n" + "  - x\n" * MANY,
    "nested quotations": ">" * MANY + "\n" + "> x\n" * MANY,
    "an open comment": "<!-- " * MANY,
    "comments": "<!-- -\n" * MANY,
    "a tag's name": f"<{'a' * MANY}=",
    "raw tags": "<pre>\n" * MANY,
    "short lines": "\n" * SIZE_MAX,
    "short paragraphs": "a\n\n" * MANY,
    "a paragraph of short lines": "a\n" * MANY + "===",
    "front matter of a megabyte": "---\n" + "a: b\n" * 200_000 + "---\n",
    "front matter that never ends": "---\n" + "--- x\n" * 200_000,
    "spaces in the first line": f"---{' ' * SIZE_MAX}x",
    "spaces before a closing line": "---\n" + ("---" + " " * 1000 + "x\n") * 1000,
    "a list in one line": f"---\ntags: [{'a,' * 30_000}]\n---\n",
    "lists in lists": f"---\ntags: {'[' * 60_000}\n---\n",
    "mappings in mappings": f"---\n{'{a: ' * 16_000}\n---\n",
    "nested entries": f"---\n{'- ' * 32_000}\n---\n",
    "keys without values": f"---\n{'? ' * 32_000}\n---\n",
    "aliases of aliases": f"---\n{BOMB}\ntags: *a39\ntitle: *a39\n---\n",
    "a tag of one text": f"---\ntags: {'a' * 60_000}\n---\n",
    "escapes": '---\ntitle: "' + "\\n" * 30_000 + '"\n---\n',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_read_within_seconds(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.md").write_bytes(text.encode()[:SIZE_MAX])
    began = process_time()
    read_note_file(tmp_path, "a.md")
    assert process_time() - began < 5
