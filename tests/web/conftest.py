"""The page in a real browser, on the whole system. Without Chromium, `make test` says so and leaves this out."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.servers.addresses import Servers
from tests.servers.background import Background
from tests.web.browser import Window, chromium, launch, window
from tests.web.site import Site, running_site

collect_ignore_glob = [] if chromium() else ["test_*.py"]

PICTURES = os.environ.get("PICTURES")
"""Where `make pictures` keeps what the states look like."""


@pytest.fixture(scope="session")
def site(
    servers: Servers, postgres_template: str, background: Background, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Give the whole system, open to everybody; tests share it and use notes of their own."""
    with running_site(servers, postgres_template, background, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Give what drives browsers. It holds this thread's event loop: asynchronous tests run after its module."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright)
    yield browser
    browser.close()


Open = Callable[..., Window]
LONGEST_S = 300
"""Of a test with the start of its site: four services and a browser, on a machine that is busy with other tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(LONGEST_S))


@pytest.fixture
def opened(site: Site, browser: Browser) -> Iterator[Open]:
    """Give a function that opens a window on a path of the site."""
    with ExitStack() as windows:

        def open_window(path: str = "/", **options: Any) -> Window:
            return windows.enter_context(window(browser, site.page.url, **options)).open(path)

        yield open_window


@pytest.fixture
def tell(capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Give a function that prints a figure, also of a test that passes, where `make test` is run alone."""

    def say(text: str) -> None:
        with capfd.disabled():
            print(f"\n  {text}")  # noqa: T201 - measured to be read

    return say


@pytest.fixture
def picture() -> Callable[[Window, str], None]:
    """Give a function that keeps what a window looks like, if pictures are wanted."""

    def keep(window: Window, name: str) -> None:
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            window.picture(Path(PICTURES) / f"{name}.png")

    return keep
