"""What is vendored is what was published, with its licence, and nothing else."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tools.vendor_page import as_vendored

FOLDER = Path(__file__).parents[2] / "src/notes_web/static/vendor"
LIBRARIES: list[dict[str, Any]] = json.loads((FOLDER / "vendor.json").read_text(encoding="utf-8"))
FIELDS = {"name", "version", "import", "licence", "source", "file", "licence_file", "sha256"}
FREE = {"MIT", "Apache-2.0", "(MPL-2.0 OR Apache-2.0)"}


def changed(library: dict[str, Any], content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() != library["sha256"]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library["import"])
def test_a_library_is_as_it_was_vendored(library: dict[str, Any]) -> None:
    assert set(library) == FIELDS
    assert library["licence"] in FREE
    content = (FOLDER / library["file"]).read_bytes()
    assert not changed(library, content), f"{library['file']} was changed: python -m tools.vendor_page fetches it anew"
    assert changed(library, content + b" ")
    assert "opyright" in (FOLDER / library["licence_file"]).read_text(encoding="utf-8")


def test_every_file_is_of_a_library() -> None:
    named = {library[field] for library in LIBRARIES for field in ("file", "licence_file")}
    assert {path.name for path in FOLDER.iterdir()} == named | {"vendor.json"}


def test_bare_imports_become_relative_and_maps_go() -> None:
    text = 'import{h}from"preact";export*from\'@preact/signals-core\';import"./x.js";\n//# sourceMappingURL=a.js.map\n'
    modules = {"preact": "preact.js", "@preact/signals-core": "core.js"}
    expected = 'import{h}from"./preact.js";export*from"./core.js";import"./x.js";\n'
    assert as_vendored(text, modules) == expected
    with pytest.raises(KeyError):
        as_vendored('import x from "leftpad";', modules)
