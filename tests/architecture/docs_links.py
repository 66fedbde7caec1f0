"""Links of the pages, held against the repository: the file that a link names is there, and so is the heading."""

import posixpath
import re
from collections.abc import Iterator, Mapping

_ANCHOR = re.compile(r'<a id="([\w-]+)"></a>')
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")


def broken_links(page: str, text: str, files: Mapping[str, str]) -> Iterator[str]:
    """Yield each relative link of a page that leads nowhere. `files` is text by path; pictures and folders count."""
    for found in _LINK.finditer(_CODE.sub("", text)):
        target, anchor = found[1], found[2]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) if target else page
        if path not in files and not any(one.startswith(f"{path}/") for one in files):
            yield f"{page}: no file {target}"
        elif anchor and anchor not in _anchors(text if path == page else files.get(path, "")):
            yield f"{page}: no {target}#{anchor}"


def _anchors(text: str) -> list[str]:
    found: list[str] = _ANCHOR.findall(text)
    for heading in _HEADING.findall(re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)):
        slug = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return found
