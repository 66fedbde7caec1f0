"""What the pages name, held against the repository: files, tests, make targets, commands and settings."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch

from tests.architecture.limits_page import SETTINGS

SHORT = {"C/": "command-service/tests/", "Q/": "query-service/tests/"}
"""How docs/guarantees.md shortens paths."""
EXAMPLES = {"projections/sizes.py"}
"""Files that a page tells the reader to write."""
_PYTHON = re.compile(r"`(?:(?P<path>[\w./*-]+\.py)|…)?(?:::(?P<test>\w+))?`")
_PATH = re.compile(r"`((?:C|Q|docs|tests|tools|contracts|chassis|command-service|query-service|web)/[\w./*-]+)`")
_TARGETS = re.compile(r"(?:`|^)make ((?:[a-z][a-z-]*[ `])+|[a-z-]+$)", re.MULTILINE)
_COMMAND = re.compile(r"python -m notes_(command|query) ([a-z][a-z-]+)")
_SETTING = re.compile(r"\bNOTES_[A-Z_]+\b(?!…|_)")


def complaints(page: str, text: str, files: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for everything that a page names and `files` (text by path) do not have."""
    yield from (f"{page}: {what}" for what in [*_files(text, files), *_commands(text, files)])


def _files(text: str, files: Mapping[str, str]) -> Iterator[str]:
    last: list[str] = []
    for found in _PYTHON.finditer(text):
        path, test = found["path"], found["test"]
        if path and path not in EXAMPLES:
            last = _matching(path, files)
            if not last:
                yield f"no file {path}"
                continue
        if test and not any(f"def {test}(" in files[one] for one in last):
            yield f"no test {test} in {' or '.join(last)}"
    for found in _PATH.finditer(text):
        if not _matching(found[1], files) and not any(one.startswith(_whole(found[1])) for one in files):
            yield f"nothing at {found[1]}"


def _whole(path: str) -> str:
    return SHORT.get(path[:2], path[:2]) + path[2:]


def _matching(path: str, files: Mapping[str, str]) -> list[str]:
    return [one for one in files if fnmatch(one, _whole(path)) or fnmatch(one, f"*/{path}")]


def _commands(text: str, files: Mapping[str, str]) -> Iterator[str]:
    targets = set(re.findall(r"^([a-z-]+):", files["Makefile"], re.MULTILINE))
    for found in _TARGETS.finditer(text):
        yield from (f"no `make {one}`" for one in found[1].rstrip("`").split() if one not in targets)
    sources = {
        side: "".join(code for path, code in files.items() if path.startswith(f"{side}-service/src/"))
        for side in ("command", "query")
    }
    for side, command in _COMMAND.findall(text):
        if f'"{command}"' not in sources[side]:
            yield f"no command `notes_{side} {command}`"
    tools = "".join(
        one for path, one in files.items() if path.startswith(("tools/", "docker-compose.yml", "compose.env"))
    )
    for setting in sorted(set(_SETTING.findall(text))):
        field = setting.removeprefix("NOTES_").removesuffix("_FILE").lower()
        if setting not in tools and not any(field in settings.model_fields for settings in SETTINGS):
            yield f"no setting {setting}"
