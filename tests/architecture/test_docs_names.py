"""No page names a file, a test, a make target, a command or a setting that does not exist."""

from pathlib import Path

import pytest

from tests.architecture.docs_names import complaints
from tests.architecture.tree import ROOT, texts


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return dict(texts(ROOT, tmp_path_factory.mktemp("git")))


def test_everything_that_a_page_names_exists(files: dict[str, str]) -> None:
    pages = {path: text for path, text in files.items() if path.endswith(".md") and path != "CHANGELOG.md"}
    assert {"README.md", "docs/guarantees.md", "docs/operations.md", "query-service/README.md"} <= set(pages)
    pages = {path: text for path, text in pages.items() if Path(path).parts[0] != "tests"}  # what the importer reads
    assert [one for path, text in pages.items() for one in complaints(path, text, files)] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("`C/unit/test_gone.py`", "no file C/unit/test_gone.py"),
        ("`Q/unit/test_share.py::test_gone`", "no test test_gone in query-service/tests/unit/test_share.py"),
        ("`test_share.py` and `::test_gone`", "no test test_gone in query-service/tests/unit/test_share.py"),
        ("`Q/unit/gone`", "nothing at Q/unit/gone"),
        ("`Q/integration/live/test_gone*.py`", "no file Q/integration/live/test_gone*.py"),
        ("`make lint gone`", "no `make gone`"),
        ("make gone", "no `make gone`"),
        ("`python -m notes_query gone --all`", "no command `notes_query gone`"),
        ("`NOTES_QUERY_GONE`", "no setting NOTES_QUERY_GONE"),
    ],
)
def test_what_is_not_there_is_found(text: str, complaint: str, files: dict[str, str]) -> None:
    assert complaint in [one.removeprefix("page: ") for one in complaints("page", text, files)]


def test_what_is_there_is_not_found(files: dict[str, str]) -> None:
    text = "`Q/unit/test_share.py`, `make lint types unit`, `python -m notes_query gaps`, `NOTES_KAFKA`, `Q/unit/live`"
    assert list(complaints("page", text, files)) == []
