"""Every figure has a place in docs/operations: one that nobody can read up is of no use at night."""

from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from notes_command import metrics

PAGES = sorted((Path(__file__).parents[3] / "docs" / "operations").glob("*.md"))
OWN = "notes_command_"
CHASSIS = "notes_http_"


def names() -> list[str]:
    assert metrics.OUTCOMES
    return sorted(family.name for family in REGISTRY.collect() if family.name.startswith((OWN, CHASSIS)))


def coded() -> list[str]:
    """Return what the pages have in backticks."""
    return [word for page in PAGES for word in page.read_text(encoding="utf-8").split("`")[1::2]]


def told() -> set[str]:
    """Return the names on the pages, whole; `…` stands for either service."""
    words = {word.partition("{")[0] for word in coded()}
    return {word.replace("…_", OWN).removesuffix("_total") for word in words}


@pytest.mark.parametrize("name", names())
def test_a_metric_is_explained(name: str) -> None:
    assert name in told(), f"docs/operations does not tell of {name}"


def test_nothing_is_explained_that_is_not_there() -> None:
    """A name with `…` may be the other service's."""
    whole = {word.removesuffix("_total") for word in coded() if word.startswith(OWN)}
    assert whole <= set(names())
