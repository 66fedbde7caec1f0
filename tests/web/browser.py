"""Windows of a real browser, and what is counted in them."""

import importlib.resources
import shutil
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WITHIN_MS: Final = 60_000
"""A wait that ends costs nothing by being long; that of a busy machine ends late."""
AXE: Final = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
SERIOUS: Final = ("serious", "critical")
INTERCEPTED: Final = {"service_workers": "block"}
"""For a page whose requests are intercepted: a worker that takes it over meanwhile would let some of them through."""
SLOW_CLOCK: Final = """(() => {
  const { now } = Date, begin = now(), later = setTimeout;
  Date.now = () => begin + (now() - begin) / 10;
  window.setTimeout = (run, ms, ...given) => later(run, 10 * ms, ...given);
})()"""
"""For a page whose clock is ten times slower: messages, and what can be undone, stay until a busy machine is there."""
KEPT: Final = """(name) => new Promise((resolve, reject) => {
  const asked = indexedDB.open(name);
  asked.onerror = () => reject(asked.error);
  asked.onsuccess = () => {
    const stores = ["commands", "kept"];
    const reading = asked.result.transaction(stores);
    const all = stores.flatMap((one) => [reading.objectStore(one).getAllKeys(), reading.objectStore(one).getAll()]);
    reading.oncomplete = () => { asked.result.close(); resolve(JSON.stringify(all.map((one) => one.result))); };
  };
})"""
NOTHING: Final = "[[],[],[],[]]"
SWITCHED_OFF: Final = (
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
"""What Playwright switches off on Linux, once more: the browser goes by the last list that it is told."""
POPUPS: Final = ("PreloadTopChromeWebUI", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "WebUIOmniboxPopup")
"""The address bar's suggestions, a page of four hundred files, which a browser loads beforehand for each window."""
WATCH: Final = (Path(__file__).parent / "watch.js").read_text(encoding="utf-8")


def chromium() -> str | None:
    """Return the Chromium of this machine, None if it has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def launch(playwright: Playwright, *arguments: str) -> Browser:
    """Start it. Its own sandbox needs rights that root of a container does not have; it sees our pages alone."""
    without = f"--disable-features={','.join((*SWITCHED_OFF, *POPUPS))}"
    return playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", without, *arguments])


@dataclass
class Window:
    """A page of the site, with a session of its own."""

    page: Page
    context: BrowserContext
    faults: list[str] = field(default_factory=list)
    seen: deque[str] = field(default_factory=lambda: deque(maxlen=60))
    """The latest requests and messages, which a test that fails shows."""

    def listen(self) -> None:
        """Note what the page asks, says, and is kept from."""
        begin = time.monotonic()

        def note(text: str) -> None:
            if "/static/" not in text:
                self.seen.append(f"{time.monotonic() - begin:8.3f} {text}")

        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self.faults.extend(_policy(message)))
        self.page.on("console", lambda message: note(f"said {message.text}"))
        self.page.on("request", lambda request: note(f"{request.method} {request.url}"))
        self.page.on("requestfailed", lambda request: note(f"failed: {request.url}: {request.failure}"))
        self.page.on("response", lambda answer: note(f"{answer.status} {answer.url}"))

    def open(self, path: str = "/") -> "Window":
        """Go there, and return once the page is live."""
        self.page.goto(path)
        self.page.locator('[data-testid=connection][data-state="live"]').wait_for()
        return self

    def get(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def row(self, note_id: str) -> Locator:
        return self.page.locator(f'[data-testid=note-row][data-note-id="{note_id}"]')

    def settled(self, version: int) -> None:
        """Return once the open note is shown at this version, with nothing pending."""
        self.page.locator(f'article.note[data-version="{version}"][data-pending="0"]').wait_for()

    def value(self, name: str, text: str) -> None:
        """Return once a field has this text."""
        self.page.wait_for_function(
            "([name, text]) => document.querySelector(`[data-testid=${name}]`)?.value === text", arg=[name, text]
        )

    def kept(self, name: str = "notes") -> str:
        """Return as JSON what this browser keeps in a person's database: keys and values of both stores."""
        found: str = self.page.evaluate(KEPT, name)
        return found

    def flickers(self) -> list[str]:
        """Return what has come back to something that it had shown before."""
        found: list[str] = self.page.evaluate("window.watched.flickers")
        return found

    def barriers(self) -> list[str]:
        """Return what axe finds that keeps people out, serious or critical."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        return [
            f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'][:120] for node in one['nodes']][:3]}"
            for one in found
            if one["impact"] in SERIOUS
        ]

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=path, animations="disabled")


@contextmanager
def window(browser: Browser, url: str, *, watched: bool = True, script: str = "", **options: Any) -> Iterator[Window]:
    """Give a window; a script that fails, or is kept from something by the policy, fails the test.

    `script` runs before the page's own.
    """
    context = browser.new_context(base_url=url, **options)
    context.set_default_timeout(WITHIN_MS)
    if watched:
        context.add_init_script(WATCH)
    if script:
        context.add_init_script(script)
    page = context.new_page()
    made = Window(page, context)
    made.listen()
    try:
        yield made
    finally:
        print("--- window ---", *made.seen, sep="\n")  # noqa: T201 - shown when a test fails
        context.close()
    assert made.faults == []


def _policy(message: ConsoleMessage) -> list[str]:
    return [message.text] if "Content Security Policy" in message.text else []
