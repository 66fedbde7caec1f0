"""What a person sees while something is away, refused or late: their own text, and the truth about it."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import APIResponse, Route

from tests.web.browser import INTERCEPTED, Window
from tests.web.site import Site, until

Open = Callable[..., Window]
AWAY_S = 10.0
ALL_KEPT = """async () => {
  if (navigator.serviceWorker.controller?.state !== "activated") return false;
  const cache = await caches.open("notes-page");
  const kept = new Set((await cache.keys()).map(({ url }) => url));
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  const wanted = ["/", "/config.json"].map((path) => location.origin + path);
  return [...wanted, ...loaded.filter((name) => name.includes("/static/"))].every((name) => kept.has(name));
}"""
"""Whether the service worker has what a visit without a network needs."""
BEHIND = "const { now } = Date; window.behind = 3_600_000; Date.now = () => now() - window.behind;"
UNAVAILABLE = '{"type":"about:blank","title":"Service Unavailable","status":503,"code":"unavailable","detail":"away"}'


@pytest.fixture
def projector_back(site: Site) -> Iterator[None]:
    """Start the projector again, whatever a test has done to it."""
    yield
    if not site.projector.is_running:
        site.projector.start()


@pytest.mark.usefixtures("projector_back")
def test_without_a_projector_the_page_goes_on_and_converges_without_a_flicker(
    site: Site, opened: Open, picture: Callable[[Window, str], None]
) -> None:
    note_id = site.note("Projector", "at first")
    one, other = opened(f"/notes/{note_id}"), opened(f"/notes/{note_id}")
    site.projector.terminate()
    began, count = time.monotonic(), 0
    while time.monotonic() - began < AWAY_S:  # somebody writes on all the time
        count += 1
        one.get("body").press_sequentially(f" {count}", delay=60)
    waiting = one.page.locator('[data-testid=write][data-state="accepted"]', has_text="waiting for the read side")
    waiting.first.wait_for()
    picture(one, "waiting-for-the-read-side")
    text = one.get("body").input_value()
    assert text.endswith(f" {count}"), "every key is on the screen"
    assert other.get("body").input_value() == "at first"
    site.projector.start()
    one.page.locator('article.note[data-pending="0"]').wait_for()
    other.value("body", text)
    assert (site.read(note_id)["body"], site.written(note_id)["body"]) == (text, text)
    assert one.flickers() == other.flickers() == []


def test_what_is_refused_is_taken_back_with_the_reason(
    site: Site, opened: Open, picture: Callable[[Window, str], None]
) -> None:
    note_id = site.note("Refused", "kept")
    one = opened(f"/notes/{note_id}")
    one.context.set_offline(True)
    one.get("body").fill("Written while another archived it.")
    assert site.post("archive-note", note_id=note_id)["status"] == "accepted"
    one.context.set_offline(False)
    one.get("rejected").wait_for()
    picture(one, "refused")
    assert one.barriers() == []
    shown = one.get("rejected")
    assert "The note was archived meanwhile." in shown.inner_text()
    assert "Written while another archived it." in shown.locator("pre").text_content(), "nothing is lost"
    one.value("body", "kept")
    assert site.written(note_id)["body"] == "kept"


def test_while_the_read_side_answers_503_writing_goes_on(site: Site, opened: Open) -> None:
    note_id = site.note("Read side", "there")
    one = opened(f"/notes/{note_id}", **INTERCEPTED)
    headers = {"Access-Control-Allow-Origin": site.page.url, "Retry-After": "1"}
    one.page.route(
        f"{site.query.url}/**",
        lambda route: route.fulfill(
            status=503, headers=headers, content_type="application/problem+json", body=UNAVAILABLE
        ),
    )
    one.get("body").fill("written all the same")
    until(lambda: site.written(note_id)["body"] == "written all the same")
    one.value("body", "written all the same")
    one.page.unroute_all()
    one.settled(2)
    assert one.flickers() == []


def test_a_write_ends_though_its_outcome_comes_after_the_read_side_shows_it(site: Site, opened: Open) -> None:
    note_id = site.note("Late outcome", "before")
    one = opened(f"/notes/{note_id}", **INTERCEPTED)
    held: list[tuple[Route, APIResponse]] = []
    one.page.route(f"{site.command.url}/commands/update-note", lambda route: held.append((route, route.fetch())))
    one.get("body").fill("shown before it is known to be accepted")
    one.page.locator('article.note[data-version="2"][data-pending="1"]').wait_for()
    for route, answer in held:
        route.fulfill(response=answer)
    one.settled(2)
    one.page.locator('[data-testid=write][data-state="visible"]').wait_for()
    assert len(held) == 1


def test_an_answer_that_breaks_off_refuses_nothing_and_is_asked_for_again(site: Site, opened: Open) -> None:
    note_id = site.note("Broken off", "before")
    one = opened(f"/notes/{note_id}", **INTERCEPTED)

    def break_off(route: Route) -> None:
        route.fulfill(response=route.fetch(), body="{")

    one.page.route(f"{site.command.url}/commands/update-note", break_off, times=1)
    one.get("body").fill("accepted though the answer broke off")
    one.settled(2)
    one.page.locator('[data-testid=write][data-state="visible"]').wait_for()
    assert one.get("rejected").count() == 0
    assert site.written(note_id)["version"] == 2


def test_what_was_sent_while_the_page_went_keeps_its_text_and_more_is_another_write(site: Site, opened: Open) -> None:
    note_id = site.note("Leaving", "before")
    one = opened(f"/notes/{note_id}")
    one.page.add_init_script(BEHIND)
    one.get("body").fill("sent as the page goes")
    one.page.reload()  # where the clock is behind, so that nothing is sent until it is told
    one.value("body", "sent as the page goes")
    one.get("body").press("Control+End")
    one.page.keyboard.type(", and more")
    one.page.evaluate("window.behind = 0")
    one.page.keyboard.press("Control+s")
    until(lambda: site.written(note_id)["body"] == "sent as the page goes, and more")
    one.settled(3)
    one.value("body", "sent as the page goes, and more")


def test_what_is_written_offline_survives_a_reload_and_is_sent_once(site: Site, opened: Open) -> None:
    note_id = site.note("Offline", "before")
    one = opened(f"/notes/{note_id}")
    one.page.wait_for_function(ALL_KEPT)
    one.context.set_offline(True)
    for service in (site.command, site.query):  # a page that was loaded anew would be let through now and then
        one.page.route(f"{service.url}/**", lambda route: route.abort("internetdisconnected"))
    one.get("body").fill("written without a network")
    one.page.locator('[data-testid=connection][data-state="offline"]').wait_for()
    one.page.reload()
    one.value("body", "written without a network")
    assert site.written(note_id)["version"] == 1
    one.page.unroute_all()
    one.context.set_offline(False)
    one.settled(2)
    assert site.written(note_id)["body"] == "written without a network"
    assert site.written(note_id)["version"] == 2
