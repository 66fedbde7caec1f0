"""The page in a real browser, on the whole system. Without Chromium, `make test` says so and leaves this out."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

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


class Driver:
    """One browser for all tests of the page that this process runs in a row."""

    def __init__(self) -> None:
        self._open: ExitStack | None = None
        self._browser: Browser | None = None

    def browser(self) -> Browser:
        if self._browser is None:
            self._open = ExitStack()
            self._browser = launch(self._open.enter_context(sync_playwright()))
            self._open.callback(self._browser.close)
        return self._browser

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = self._browser = None


DRIVER = Driver()


def ours(item: pytest.Item | None) -> bool:
    return item is not None and item.path.parent == Path(__file__).parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Close the browser before any other test: what drives it holds this thread's event loop."""
    try:
        return (yield)
    finally:
        if not ours(nextitem):
            DRIVER.close()


@pytest.fixture
def browser() -> Browser:
    return DRIVER.browser()


Open = Callable[..., Window]
LONGEST_S = 600
"""Of a test with the start of its site: four services and a browser, on a machine that is busy with other tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in filter(ours, items):
        item.add_marker(pytest.mark.timeout(LONGEST_S))


@pytest.fixture
def opened(site: Site, browser: Browser) -> Iterator[Open]:
    """Give a function that opens a window on a path of the site."""
    with ExitStack() as windows:

        def open_window(path: str = "/", **options: Any) -> Window:
            return windows.enter_context(window(browser, site.page.url, **options)).open(path)

        yield open_window
    site.show_logs()


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
