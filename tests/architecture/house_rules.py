"""The rules that import-linter and ruff do not know. Each takes a file's path and text and returns what is wrong."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

LINES_MAX = 250
README_LINES_MAX = 150
PROSE_WIDTH = 120
CELL_WIDTH = 250

# Written as patterns, so that this file does not name what it looks for.
_REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|repo1?\.maven\.|maven\.org|proxy\.golang\.org"
    r"|https?://\S+/(?:simple|pypi|maven2?|artifactory|nexus)\b",
    re.IGNORECASE,
)
_MACHINE = re.compile(r"(?<![\w.~/-])/(?:work|root)(?![\w-])")
# What stands for it: projector, read model, build, dead letter, yields, costs as much as.
_OWN_WORDS = re.compile(
    r"\b(lanes?|shapes?|generations?|(?<!dead[ -])letters?|g[ai]ves? way|as dear as)\b", re.IGNORECASE
)
_CELL = re.compile(r"(?<!\\)\|")
_CLUSTER = "chassis/src/notes_chassis/kafka/cluster.py"
_KAFKA_CLIENT = re.compile(
    r"\b(?:AIOKafka\w+|KafkaBroker)\((?!\s*\*\*[\w.]*\b(?:client|broker)\(\))|\bbootstrap_servers\b|\bsecurity_protocol\b"
)
# Written in pieces for the same reason. Of passwords in URLs only those pass that nobody would use elsewhere.
_SECRET = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE"
    r" KEY-----"
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[oprsu]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22,}|\bglpat-[\w-]{20}|\bxox[abprs]-[\w-]{10,}"
    r"|\bsk_live_\w{16,}|\bAIza[\w-]{35}|\bpypi-AgE[\w-]{16,}|\bnpm_[A-Za-z0-9]{36}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"
    r"|[a-z+]+://[^/\s:@\"'`{}$<]+:(?!(?:…|notes|password|secret|s3cr3t|pw|x)@)[^/\s:@\"'`{}$<]+@"
    r"|(?:password|passwd|secret|token|api_?key)[\"']?\s*[:=]\s*[\"'](?=[^\"']*\d)[A-Za-z0-9+/=_-]{20,}[\"']",
    re.IGNORECASE,
)
_PIN = re.compile(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==[^\s;]+( ;[^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+")


def file_is_too_long(path: str, text: str) -> list[str]:
    """Python files, tests too, have at most 250 lines."""
    lines = len(text.splitlines())
    return [f"{path}: {lines} lines"] if path.endswith(".py") and lines > LINES_MAX else []


def readme_is_too_long(path: str, text: str) -> list[str]:
    """A README has at most 150 lines."""
    lines = len(text.splitlines())
    return [f"{path}: {lines} lines"] if PurePosixPath(path).name == "README.md" and lines > README_LINES_MAX else []


def name_says_nothing(path: str, text: str) -> list[str]:
    """No drawer for what has no place: utils, common."""
    parts = {part.removesuffix(".py") for part in PurePosixPath(path).parts}
    return [f"{path}: {', '.join(sorted(found))}"] if (found := parts & {"utils", "common"}) else []


def names_a_registry(path: str, text: str) -> list[str]:
    """No package registry's host or address: where packages come from is the machine's business."""
    return _lines(path, text, _REGISTRY)


def names_a_place_on_one_machine(path: str, text: str) -> list[str]:
    """No path that exists on the machine of whoever wrote it."""
    return _lines(path, text, _MACHINE)


def page_has_a_word_of_our_own(path: str, text: str) -> list[str]:
    """The pages use the field's words; a reader need not learn ours. A path may be called as it likes."""
    return _lines(path, re.sub(r"[`(]\S+[`)]", "", text), _OWN_WORDS) if path.endswith(".md") else []


def page_is_too_wide(path: str, text: str) -> list[str]:
    """Prose of a page has at most 120 columns, a cell of a table 250 characters; code and changelogs are free."""
    if not path.endswith(".md") or path.startswith("tests/") or PurePosixPath(path).name == "CHANGELOG.md":
        return []
    wrong, code = [], False
    for number, line in enumerate(text.splitlines(), 1):
        code ^= line.lstrip().startswith("```")
        if line.lstrip().startswith("|"):
            if (widest := max(len(cell.strip()) for cell in _CELL.split(line))) > CELL_WIDTH:
                wrong.append(f"{path}:{number}: a cell of {widest} characters")
        elif not code and len(line) > PROSE_WIDTH:
            wrong.append(f"{path}:{number}: {len(line)} columns")
    return wrong


def makes_a_kafka_client_of_its_own(path: str, text: str) -> list[str]:
    """What ships makes clients of Kafka with the options of the process's `Cluster`: its brokers and its security."""
    if not re.match(r"(chassis|contracts|web|\w+-service)/src/.*\.py$", path) or path == _CLUSTER:
        return []
    found = (text.count("\n", 0, match.start()) + 1 for match in _KAFKA_CLIENT.finditer(text))
    return [f"{path}:{line}: not made with the options of Cluster" for line in found]


def holds_a_secret(path: str, text: str) -> list[str]:
    """No private key, no token, no password but those of development: what is committed once stays in the history."""
    return [f"{path}:{number}: a secret" for number, line in enumerate(text.splitlines(), 1) if _SECRET.search(line)]


def requirement_is_not_pinned(path: str, text: str) -> list[str]:
    """Every line of a requirements file is a pin with hashes: no addresses, no options, no ranges."""
    if not re.fullmatch(r"requirements.*\.txt", PurePosixPath(path).name):
        return []
    logical = re.sub(r"(^|\s)#.*", "", text.replace("\\\n", " "), flags=re.MULTILINE).splitlines()
    return [f"{path}: {line.strip()}" for line in logical if line.strip() and not _PIN.fullmatch(line.strip())]


def packages_without_licence(root: Path) -> list[str]:
    """Every wheel and image carries the licence: each package has the project's, and images get it."""
    licence = (root / "LICENSE").read_text(encoding="utf-8")
    packages = sorted(path.parent for path in root.glob("*/pyproject.toml"))
    wrong = [path.name for path in packages if not (copy := path / "LICENSE").is_file() or copy.read_text() != licence]
    sent = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return wrong + [f"{path.name}: not in images" for path in packages if f"!{path.name}/LICENSE" not in sent]


RULES: tuple[Callable[[str, str], list[str]], ...] = (
    file_is_too_long,
    readme_is_too_long,
    name_says_nothing,
    names_a_registry,
    names_a_place_on_one_machine,
    page_has_a_word_of_our_own,
    page_is_too_wide,
    makes_a_kafka_client_of_its_own,
    holds_a_secret,
    requirement_is_not_pinned,
)


def violations(rule: Callable[[str, str], list[str]], files: Iterable[tuple[str, str]]) -> list[str]:
    """Return what the rule says of all files."""
    return [complaint for path, text in files for complaint in rule(path, text)]


def _lines(path: str, text: str, pattern: re.Pattern[str]) -> list[str]:
    return [f"{path}:{number}: {line}" for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
