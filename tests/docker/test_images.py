"""The three images: what goes in, and from where."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FOLDERS = {"command": "command-service", "query": "query-service", "web": "web"}
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", re.MULTILINE)


def dockerfile(side: str) -> str:
    return (REPOSITORY / FOLDERS[side] / "deploy" / "Dockerfile").read_text()


def copied(side: str) -> list[str]:
    """Return what a Dockerfile takes from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile(side), re.MULTILINE)
    return [source for line in lines for source in line.split()]


def let_through() -> list[str]:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


@pytest.mark.parametrize("side", FOLDERS)
def test_an_image_holds_one_side_and_what_it_stands_on(side: str):
    ours = {"requirements-build.txt", "chassis", FOLDERS[side]} | ({"contracts"} if side != "web" else set())
    assert {source.partition("/")[0] for source in copied(side)} == ours


def test_all_that_is_copied_gets_past_the_ignore_file():
    for side in FOLDERS:
        for source in copied(side):
            assert any(name == source or name.startswith(f"{source}/") for name in let_through()), source


def test_all_that_gets_past_the_ignore_file_exists():
    assert [name for name in let_through() if not (REPOSITORY / name).exists()] == []


def test_all_images_are_built_alike():
    command = dockerfile("command").replace("command", "query").replace("COMMAND", "QUERY").replace("081", "080")
    assert command.replace("a Kafka", "a MongoDB") == dockerfile("query")
    alike = dockerfile("query").replace("COPY contracts contracts\n", "").replace("./contracts ", "")
    for theirs, ours in (("query-service", "web"), ("query", "web"), ("QUERY", "WEB"), (" 9080", ""), ("8080", "8082")):
        alike = alike.replace(theirs, ours)
    assert instructions(alike) == instructions(dockerfile("web"))


def instructions(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("side", FOLDERS)
def test_python_is_the_same_in_every_stage_and_its_folder(side: str):
    (version,) = set(re.findall(r"^FROM python:([\d.]+)-slim", dockerfile(side), re.MULTILINE))
    assert set(re.findall(r"/lib/python([\d.]+)/", dockerfile(side))) == {version}


def test_wheels_are_built_with_what_development_has():
    build = dict(PIN.findall((REPOSITORY / "requirements-build.txt").read_text()))
    development = dict(PIN.findall((REPOSITORY / "requirements-dev.txt").read_text()))
    assert "hatchling" in build
    assert {name: development.get(name) for name in build} == build
