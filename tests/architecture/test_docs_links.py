"""No page links to a file or a heading that does not exist."""

from pathlib import Path

import pytest

from tests.architecture.docs_links import broken_links
from tests.architecture.tree import ROOT, texts

FILES = {
    "docs/a.md": '# A page, with `code` and a dash - here\n\n<a id="own"></a>\n\n## Twice\n\n## Twice\n',
    "docs/b/c.md": "# C\n",
}


def test_every_link_of_a_page_leads_somewhere(tmp_path: Path) -> None:
    files = dict(texts(ROOT, tmp_path)) | {str(one.relative_to(ROOT)): "" for one in ROOT.glob("docs/**/*.png")}
    pages = {path: text for path, text in files.items() if path.endswith(".md") and not path.startswith("tests/")}
    assert {"README.md", "docs/adr/README.md", "docs/operations/health.md"} <= set(pages)
    assert [one for path, text in pages.items() for one in broken_links(path, text, files)] == []


@pytest.mark.parametrize(
    "link", ["gone.md", "../README.md", "#gone", "a.md#gone", "b/c.md#twice", "a.md#twice-2", "b/gone.md#c"]
)
def test_a_link_to_nothing_is_found(link: str) -> None:
    assert len(list(broken_links("docs/a.md", f"{FILES['docs/a.md']}[x]({link})", FILES))) == 1


@pytest.mark.parametrize(
    "link",
    [
        "b/c.md",
        "b",
        "b/",
        "#own",
        "#twice-1",
        "b/c.md#c",
        "#a-page-with-code-and-a-dash---here",
        "https://a.example/x#y",
    ],
)
def test_a_link_to_something_is_not_found(link: str) -> None:
    assert list(broken_links("docs/a.md", f"{FILES['docs/a.md']}[x]({link})", FILES)) == []


def test_code_is_no_link() -> None:
    assert list(broken_links("docs/a.md", "`[x](gone.md)`\n```\n[x](gone.md)\n```\n", FILES)) == []
