"""The tree keeps the house rules, and each rule is seen to bite."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture.house_rules import (
    RULES,
    file_is_too_long,
    holds_a_secret,
    makes_a_kafka_client_of_its_own,
    name_says_nothing,
    names_a_place_on_one_machine,
    names_a_registry,
    packages_without_licence,
    page_has_a_word_of_our_own,
    page_is_too_wide,
    readme_is_too_long,
    requirement_is_not_pinned,
    violations,
)
from tests.architecture.tree import ROOT, texts

Rule = Callable[[str, str], list[str]]

HASH = "--hash=sha256:" + "0123456789abcdef" * 4
PIN = f"motor==3.7.1 ; python_version >= '3.11' \\\n    {HASH} \\\n    {HASH}\n    # via notes-query\n"
PLANTED: list[tuple[Rule, str, str]] = [
    (file_is_too_long, "tools/long.py", "x = 1\n" * 251),
    (file_is_too_long, "tests/e2e/test_long.py", "x = 1\n" * 251),
    (readme_is_too_long, "README.md", "line\n" * 151),
    (name_says_nothing, "command-service/src/notes_command/utils.py", ""),
    (name_says_nothing, "tools/common/text.py", ""),
    (names_a_registry, "Makefile", "INDEX = https://pypi" + ".org/simple\n"),
    (names_a_registry, "tools/jars.txt", "https://repo1.maven" + ".org/maven2/a.jar\n"),
    (names_a_registry, "pyproject.toml", "url = 'https://mirror.example" + "/simple/'\n"),
    (names_a_place_on_one_machine, "docs/guide.md", "cd /wor" + "k/main\n"),
    (names_a_place_on_one_machine, ".ci/run", "PATH=/roo" + "t/bin:$PATH\n"),
    (page_has_a_word_of_our_own, "docs/guide.md", "The side lane waits.\n"),
    (page_has_a_word_of_our_own, "README.md", "A letter is kept.\n"),
    (page_is_too_wide, "docs/adr/0001-wide.md", "word " * 24 + "w\n"),
    (page_is_too_wide, "web/README.md", "```\n" + "code " * 30 + "\n```\n- " + "item " * 24 + "\n"),
    (page_is_too_wide, "docs/guide.md", "| a | " + "c" * 251 + " |\n"),
    (makes_a_kafka_client_of_its_own, "chassis/src/a.py", "made = AIOKafkaConsumer(group_id=None)\n"),
    (makes_a_kafka_client_of_its_own, "chassis/src/b.py", "self.broker = KafkaBroker(\n    split(addresses),\n)\n"),
    (makes_a_kafka_client_of_its_own, "query-service/src/a.py", 'options |= {"security_protocol": "PLAINTEXT"}\n'),
    (makes_a_kafka_client_of_its_own, "command-service/src/a.py", "consumer(bootstrap_servers=addresses)\n"),
    (holds_a_secret, "deploy/key.pem", "-----BEGIN EC PRIVATE" + " KEY-----\n"),
    (holds_a_secret, "tools/upload.py", "KEY = 'AKIA" + "ABCDEFGHIJKLMNOP'\n"),
    (holds_a_secret, ".ci/run", "TOKEN=ghp" + "_" + "a1" * 18 + "\n"),
    (holds_a_secret, "docs/try.md", "Bearer eyJ" + "hbGciOiJSUzI1NiJ9.eyJ" + "zdWIiOiJhbm5hIn0." + "c2ln" * 8 + "\n"),
    (holds_a_secret, "compose.env", "NOTES_POSTGRES=postgresql://notes:hunter" + "2@db/notes\n"),
    (holds_a_secret, "tools/x.py", "password = '" + "q8" * 12 + "'\n"),
    (requirement_is_not_pinned, "requirements-dev.txt", PIN + "pytest==9.0\n"),
    (requirement_is_not_pinned, "requirements.txt", PIN.replace("==", ">=")),
    (requirement_is_not_pinned, "requirements.txt", "--index-url https://mirror.example\n" + PIN),
    (requirement_is_not_pinned, "requirements.txt", f"motor @ https://mirror.example/motor.whl {HASH}\n"),
    (requirement_is_not_pinned, "requirements.txt", "-e ./contracts\n"),
]
INNOCENT = {
    "tools/edge.py": "x = 1\n" * 250,
    "README.md": "line\n" * 150,
    "docs/wide.md": "w" * 120 + "\n   | " + "c" * 250 + " | " + "c" * 250 + " |\n```\n" + "code " * 30 + "\n```\n",
    "CHANGELOG.md": "- " + "word " * 60 + "\n",
    "tools/load.py": "producer = AIOKafkaProducer(bootstrap_servers=kafka)\n",
    "chassis/src/reader.py": "made: AIOKafkaConsumer = AIOKafkaConsumer(\n    **self._cluster.client(), **options)\n",
    "tools/commonly.py": "# utilities of a common kind\n",
    "requirements.txt": "# a remark\n" + PIN + f"coloured[all,x]==1.0 {HASH}\n",
    "requirements.in": "motor>=3\n",
    "docs/urls.md": "postgresql://notes:notes@db, mongodb://{user}:{password}@db, http://${USER}:${PASS}@host, a:b@c\n",
    "tools/names.py": "password = environment['NOTES_PASSWORD']; token = 'a-token-that-is-a-sentence'\n",
    "docs/words.md": "A dead letter, dead letters, dead-letter, [ADR 10](adr/generations.md), the planet, a line.\n",
    "docs/guide.md": "see notes/root/work, ../root, https://example.org/root and https://example.org/simpler\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    return list(texts(ROOT, tmp_path_factory.mktemp("git")))


def plant(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_keeps_the_rule(rule: Rule, project: list[tuple[str, str]]) -> None:
    assert violations(rule, project) == []


def test_the_whole_tree_is_looked_at(project: list[tuple[str, str]]) -> None:
    paths = {path for path, _ in project}
    assert {"Makefile", "requirements-dev.txt", "command-service/requirements.txt"} <= paths
    assert "tests/architecture/test_house_rules.py" in paths
    assert not [path for path in paths if ".venv" in path or "__pycache__" in path]


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_a_planted_violation_is_found(rule: Rule, path: str, text: str, tmp_path: Path) -> None:
    plant(tmp_path / "tree", path, text)
    files = list(texts(tmp_path / "tree", tmp_path))
    found = violations(rule, files)
    assert len(found) == 1
    assert found[0].startswith(path)


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_what_only_looks_like_a_violation_passes(rule: Rule, tmp_path: Path) -> None:
    for path, text in INNOCENT.items():
        plant(tmp_path / "tree", path, text)
    assert violations(rule, texts(tmp_path / "tree", tmp_path)) == []


def test_an_ignored_file_is_not_looked_at(tmp_path: Path) -> None:
    plant(tmp_path / "tree", ".gitignore", "/.venv/\n")
    plant(tmp_path / "tree", ".venv/utils.py", "")
    assert [path for path, _ in texts(tmp_path / "tree", tmp_path)] == [".gitignore"]


def test_every_package_has_the_licence() -> None:
    assert packages_without_licence(ROOT) == []


def test_a_package_without_the_licence_is_found(tmp_path: Path) -> None:
    for path, text in {"LICENSE": "Free.\n", "a/LICENSE": "Free.\n", "b/LICENSE": "Mine.\n"}.items():
        plant(tmp_path, path, text)
    for name in "abc":
        plant(tmp_path, f"{name}/pyproject.toml", "")
    plant(tmp_path, ".dockerignore", "*\n!b/LICENSE\n!c/LICENSE\n")
    assert packages_without_licence(tmp_path) == ["b", "c", "a: not in images"]
