"""What a release of the contracts holds, and how one is read and written.

contracts/released/<version>/
    schemas/       JSON Schema of each message's data
    golden/        one whole record of each type
    api/           OpenAPI and AsyncAPI of both services
    digests.json   `digest_of` of each golden command
    codes.json     the HTTP status of each error code; that of 1.0.0, which was released without it, stands beside it
    sha256.txt     of all of these: `sha256sum -c sha256.txt`
"""

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from notes_contracts.codes import HTTP_STATUS
from notes_contracts.messages import COMMANDS, digest_of

REPOSITORY: Final = Path(__file__).resolve().parents[2]
RELEASED: Final = REPOSITORY / "contracts" / "released"
CODES: Final = "codes.json"
SUMS: Final = "sha256.txt"
_SOURCES: Final = {"schemas": "contracts/schemas", "golden": "tests/contract/golden", "api": "docs/api"}
"""The committed files that a release is made of."""

Document = dict[str, Any]


class GateError(Exception):
    """A release that cannot be read or written. The text is for people."""


@dataclass(frozen=True)
class Release:
    """Contracts, released or present. Each table goes from a file's name without `.json` to its content."""

    name: str
    schemas: dict[str, Document]
    golden: dict[str, Document]
    api: dict[str, Document]
    digests: dict[str, str]
    codes: dict[str, int]


def present(repository: Path = REPOSITORY) -> Release:
    """Return what this checkout says, out of committed files."""
    tables = {part: _tables(repository / source) for part, source in _SOURCES.items()}
    return Release("this version", **tables, digests=_digests(tables["golden"]), codes=dict(HTTP_STATUS))


def released(folder: Path = RELEASED) -> list[Release]:
    """Return every release, the oldest first. Raises GateError if one is not as it was released."""
    return [_read(path) for path in sorted(folder.iterdir(), key=_number) if path.is_dir()]


def write_release(folder: Path = RELEASED, repository: Path = REPOSITORY) -> Path:
    """Write the release of the version that contracts/pyproject.toml states, and return its folder.

    Raises GateError if there is one already that says something else, a later one, or none in the changelog.
    """
    text = (repository / "contracts" / "pyproject.toml").read_text(encoding="utf-8")
    version = str(tomllib.loads(text)["project"]["version"])
    place, texts = folder / version, _texts(repository)
    if place.exists():
        if _on_disk(place) != texts:
            raise GateError(f"{version} is released and stays as it is: raise the version in contracts/pyproject.toml")
        return place
    later = [path.name for path in folder.glob("*/") if _number(path) > _number(place)]
    if later:
        raise GateError(f"{version} would come after {', '.join(later)}: raise the version in contracts/pyproject.toml")
    if f"## [{version}]" not in (repository / "contracts" / "CHANGELOG.md").read_text(encoding="utf-8"):
        raise GateError(f"contracts/CHANGELOG.md says nothing of {version}: write what changed under ## [{version}]")
    for name, text in texts.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return place


def _texts(repository: Path) -> dict[str, str]:
    """Return every file of a release by its path inside."""
    texts = {
        f"{part}/{path.name}": path.read_text(encoding="utf-8")
        for part, source in _SOURCES.items()
        for path in sorted((repository / source).glob("*.json"))
    }
    texts["digests.json"] = json.dumps(_digests(_tables(repository / _SOURCES["golden"])), indent=2) + "\n"
    texts[CODES] = json.dumps(dict(HTTP_STATUS), indent=2) + "\n"
    texts[SUMS] = _sums(texts)
    return texts


def _sums(texts: dict[str, str]) -> str:
    lines = (f"{hashlib.sha256(text.encode()).hexdigest()}  {name}" for name, text in texts.items() if name != SUMS)
    return "\n".join(lines) + "\n"


def _on_disk(place: Path) -> dict[str, str]:
    paths = (path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def _digests(golden: dict[str, Document]) -> dict[str, str]:
    return {name: digest_of(model.model_validate_json(golden[name]["value"])) for name, model in COMMANDS.items()}


def _tables(folder: Path) -> dict[str, Document]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def _read(place: Path) -> Release:
    texts = _on_disk(place)
    sums = set(texts.get(SUMS, "").splitlines())
    changed = sorted(set(_sums(texts).splitlines()) ^ sums)
    if changed:
        names = sorted({line.split("  ")[-1] for line in changed})
        raise GateError(f"{place.name} is not as it was released, {', '.join(names)}: take it from the history again")
    tables = {part: _tables(place / part) for part in _SOURCES}
    codes = texts.get(CODES) or place.with_name(f"{place.name}.{CODES}").read_text(encoding="utf-8")
    return Release(place.name, **tables, digests=json.loads(texts["digests.json"]), codes=json.loads(codes))


def _number(path: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", path.name)]
