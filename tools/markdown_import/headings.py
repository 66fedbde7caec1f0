"""The first heading of a Markdown text, as CommonMark 0.31 reads it, without a parser of the whole language.

ATX (`# Heading`) and setext (underlined) headings of the outermost level; what stands in fenced or indented
code, in HTML, in comments, in quotations and in lists is not looked at. The heading's text is returned as
written. Every pattern takes a time in proportion to its line, whatever is in it.
"""

import re
from collections.abc import Callable, Iterator

_line = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r|\Z)")
_atx = re.compile(r" {0,3}#{1,6}(?![^ \t])").match
_underline = re.compile(r" {0,3}(?:=+|-+)[ \t]*").fullmatch
_break = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}").fullmatch
_fence = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})").match
_container = re.compile(r" {0,3}(?:>|(?:[-*+]|\d{1,9}[.)])(?:[ \t]|\Z))").match
_tag = re.compile(r" {0,3}</?(?P<name>[a-zA-Z][a-zA-Z0-9-]*)(?=[ \t/>]|\Z)").match
_comment = re.compile(r" {0,3}<!--").match
_RAW = {"script", "pre", "style", "textarea"}


def first_heading(text: str) -> str | None:
    """Return the text of the first heading that has one, or None."""
    lines = (match[1] for match in _line.finditer(text))
    paragraph: list[str] = []
    contained = False  # in a quotation or a list, up to the next blank line
    for line in lines:
        atx = None if contained and line.startswith(" ") else _atx(line)
        if atx is not None:
            if heading := _without_closing(line[atx.end() :]):
                return heading
            paragraph = []
        elif paragraph and _underline(line):
            return " ".join(paragraph)
        elif not line.strip() or _break(line) or _skip_block(line, lines, in_paragraph=bool(paragraph)):
            paragraph, contained = [], False
        elif contained or _container(line):
            paragraph, contained = [], True
        elif paragraph or not line.startswith(("    ", "\t")):
            paragraph.append(line.strip())
    return None


def _without_closing(text: str) -> str:
    """Return the text of an ATX heading without the `#` signs that may close it."""
    text = text.strip()
    opened = text.rstrip("#")
    return text if opened and opened[-1] not in " \t" else opened.strip()


def _skip_block(line: str, lines: Iterator[str], *, in_paragraph: bool) -> bool:
    """Take the rest of the code or HTML block that begins with `line` from `lines`; False if none begins there."""
    fence = _fence(line)
    if fence and not (fence["fence"][0] == "`" and "`" in line[fence.end() :]):
        mark = fence["fence"]
        _skip_past(lines, re.compile(rf" {{0,3}}{mark[0]}{{{len(mark)},}}[ \t]*").fullmatch)
    elif comment := _comment(line):
        if "-->" not in line[comment.end() :]:
            _skip_past(lines, re.compile("-->").search)
    elif (tag := _tag(line)) is None:
        return False
    elif (name := tag["name"].lower()) in _RAW:
        end = re.compile(f"</{name}", re.IGNORECASE).search
        if not end(line):
            _skip_past(lines, end)
    elif in_paragraph:
        return False
    else:
        _skip_past(lines, re.compile(r"\s*").fullmatch)
    return True


def _skip_past(lines: Iterator[str], is_last: Callable[[str], object]) -> None:
    next((line for line in lines if is_last(line)), None)
