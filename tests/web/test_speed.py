"""How long a key takes to be seen, here and in another window.

What is held does not depend on what else the machine does: the work of a key in the page, requests, and the time of an
edit beside that of the same edit without a page. The times themselves are told.
"""

from collections.abc import Callable
from statistics import median, quantiles
from time import monotonic

from playwright.sync_api import Browser, Page

from tests.web.browser import Window, window
from tests.web.site import Site

Open = Callable[..., Window]
FRAME_MS = 16.0
VISIBLE_MS = 2_000.0
TIMES_SLOWER = 5
"""Than the services alone a page may be, where those take long."""
READS = 4
"""Requests of a page for a change by another: the note and its body, both once more if another change came between."""
MEASURES = "performance.getEntriesByName('key-to-paint')"
PAUSE_MS = 20
"""Between two keys: three times as fast as anybody types."""
KEYS = "The quick brown fox jumps over the lazy dog. " * 2
EDITS = 5


def work_of(page: Page) -> Callable[[], float]:
    """Return what tells the processor time of the page's main thread so far, in milliseconds."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def work() -> float:
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"]) * 1000

    return work


def test_a_key_is_less_work_than_a_frame_has_time_for(
    site: Site, browser: Browser, tell: Callable[[str], None]
) -> None:
    note_id = site.note("Speed", "")
    with window(browser, site.page.url, watched=False, reduced_motion="reduce") as one:
        one.open(f"/notes/{note_id}")
        one.get("body").focus()
        work = work_of(one.page)
        before = work()
        one.get("body").press_sequentially(KEYS, delay=PAUSE_MS)
        one.page.wait_for_function(f"() => {MEASURES}.length >= {len(KEYS)}")
        each = (work() - before) / len(KEYS)
        times = one.page.evaluate(f"() => {MEASURES}.map((one) => one.duration)")
    p99 = quantiles(times, n=100)[98]
    tell(
        f"key to paint: median {median(times):.1f} ms, p99 {p99:.1f} ms, longest {max(times):.1f} ms; "
        f"{each:.1f} ms of work, with all that goes on beside it"
    )
    assert each <= FRAME_MS


def test_an_edit_is_soon_seen_in_another_window(site: Site, opened: Open, tell: Callable[[str], None]) -> None:
    note_id = site.note("Seen", "")
    one, other = opened(f"/notes/{note_id}"), opened(f"/notes/{note_id}")
    clock = "performance.timeOrigin + performance.now()"
    times, alone = [], []
    reads: list[str] = []
    other.page.on("request", lambda request: reads.append(request.url))
    for number in range(EDITS):
        began = monotonic()
        site.read(note_id, site.post("update-note", note_id=note_id, body=f"alone {number}")["version"])
        alone.append((monotonic() - began) * 1000)
        for page in (one, other):
            page.value("body", f"alone {number}")
        text = f"seen {number}"
        seen = other.page.evaluate_handle(
            f"""(text) => ({{ at: new Promise((resolve) => {{
              const look = () => document.querySelector("[data-testid=body]")?.value === text
                ? resolve({clock}) : requestAnimationFrame(look);
              look();
            }}) }})""",
            text,
        )
        made = one.page.evaluate(clock)
        one.get("body").fill(text)
        one.page.keyboard.press("Control+s")  # sent now, not after a pause
        times.append(seen.evaluate("(one) => one.at") - made)
    tell(
        f"edit to the other window: median {median(times):.0f} ms, longest {max(times):.0f} ms; "
        f"without a page {median(alone):.0f} ms; {len(reads) / (2 * EDITS):.1f} requests for each change"
    )
    assert median(times) <= max(VISIBLE_MS, TIMES_SLOWER * median(alone))
    assert len(reads) <= READS * 2 * EDITS
