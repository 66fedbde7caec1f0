"""What was typed is kept, whatever is closed; and what others wrote does nothing in this page but be read."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Route

from tests.web.browser import INTERCEPTED, SLOW_CLOCK, Window
from tests.web.site import Site, until

Open = Callable[..., Window]
HOSTILE = """# Title

<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>
![far](https://elsewhere.example/far.png) <img src="/near.png"> <iframe src="/framed"></iframe>
[bad](javascript:window.hacked=3) [good](https://example.com)

<a href="#" onclick="window.hacked=4">one</a> <form action="/x"><input name="q"></form>
"""

MOVED = """() => {
  window.moved = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((one) => {
    if (!one.hadRecentInput) window.moved += one.value;
  })).observe({ type: "layout-shift", buffered: true });
}"""


def test_what_is_typed_right_before_a_reload_is_there_after_it_and_is_sent(site: Site, opened: Open) -> None:
    note_id = site.note("Reload", "before")
    one = opened(f"/notes/{note_id}")
    one.get("body").press("Control+End")
    one.page.keyboard.type(" and the last letters!")
    one.page.reload()
    one.value("body", "before and the last letters!")
    until(lambda: site.written(note_id)["body"] == "before and the last letters!")
    one.settled(site.written(note_id)["version"])


def test_another_tab_sends_what_a_closed_one_had_not_sent(site: Site, opened: Open) -> None:
    note_id = site.note("Tabs", "before")
    one = opened("/")
    closing = one.context.new_page()
    closing.goto(f"/notes/{note_id}")
    closing.get_by_test_id("body").fill("written in a tab that is closed")
    closing.close()
    until(lambda: site.written(note_id)["body"] == "written in a tab that is closed")


def test_a_deletion_can_be_taken_back_until_it_is_sent(site: Site, opened: Open) -> None:
    note_id = site.note("Undo", "kept")
    one = opened(f"/notes/{note_id}", script=SLOW_CLOCK)
    one.row(note_id).wait_for()
    one.get("delete").click()
    one.row(note_id).wait_for(state="detached")
    one.get("undo").click()
    one.row(note_id).wait_for()
    assert site.written(note_id)["version"] == 1


def test_markdown_of_others_runs_nothing_and_loads_nothing(site: Site, opened: Open) -> None:
    note_id = site.note("Hostile", HOSTILE)
    one = opened(f"/notes/{note_id}")
    requests: list[tuple[str, str]] = []
    one.page.on("request", lambda request: requests.append((request.resource_type, request.url)))
    one.get("preview-toggle").click()
    shown = one.get("preview")
    shown.locator("h1").wait_for()
    assert shown.locator("a[href]").evaluate_all("(links) => links.map((one) => one.getAttribute('href'))") == [
        "https://example.com",
        "#",
    ]
    assert shown.locator("img, script, iframe, form, input, [onclick], [onerror]").count() == 0
    assert one.page.evaluate("window.hacked") is None
    # The page itself may ask the services at any time, and loads the modules of the preview.
    ours = (f"{site.page.url}/static/", f"{site.query.url}/", f"{site.command.url}/")
    kinds = {"fetch", "script"}
    assert [url for kind, url in requests if kind not in kinds or not url.startswith(ours)] == []
    # The parser of the sanitiser meets the policy before anything is shown: that is told, and nothing is run.
    assert all("inline event handler" in fault for fault in one.faults)
    one.faults.clear()


def test_nothing_moves_while_a_list_and_a_note_are_loaded(site: Site, opened: Open) -> None:
    note_id = site.note("Still", "one line\n" * 5, ("still",))
    one = opened("/")
    one.page.evaluate(MOVED)
    one.row(note_id).locator("a").click()
    one.value("body", "one line\n" * 5)
    assert one.page.evaluate("window.moved") < 0.02


def test_a_search_made_right_after_a_change_is_made_again_though_it_is_not_said_to_be_behind(
    site: Site, opened: Open
) -> None:
    one = opened("/", **INTERCEPTED)
    note_id = site.note("Late", "xylophone")
    one.row(note_id).wait_for()  # the change was told
    asked: list[str] = []
    headers = {
        "Access-Control-Allow-Origin": site.page.url,
        "Access-Control-Expose-Headers": "Projection-Lag",
        "Projection-Lag": "0.0",
    }

    def nothing_yet(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            route.continue_()
        else:
            route.fulfill(headers=headers, json={"items": [], "next_cursor": None})

    one.page.route(lambda url: "/notes/search" in url, nothing_yet)
    one.get("search").fill("xylophone")
    one.row(note_id).wait_for(state="detached")
    one.row(note_id).wait_for()


def test_a_search_keeps_to_what_is_chosen(site: Site, opened: Open) -> None:
    inside, outside = site.note("Found", "zebrafish", ("chosen",)), site.note("Found too", "zebrafish")
    site.found("zebrafish", 2)
    one = opened("/")
    one.get("search").fill("zebrafish")
    one.page.wait_for_url("**/search?q=zebrafish")
    one.row(inside).wait_for()
    one.row(outside).wait_for()
    one.get("tag-filter").filter(has_text="chosen").click()
    one.row(outside).wait_for(state="detached")
    one.row(inside).wait_for()
    assert "q=zebrafish" in one.page.url


def test_nothing_is_kept_of_a_note_once_it_is_known_to_be_deleted(site: Site, opened: Open) -> None:
    note_id = site.note("Betrayed", "the text of the note")
    one = opened(f"/notes/{note_id}")
    one.row(note_id).wait_for()
    one.value("body", "the text of the note")
    until(lambda: one.kept().count(note_id) == 3)  # the key and the id of its document, and the row of a list
    site.post("delete-note", note_id=note_id)
    until(lambda: note_id not in one.kept())
    assert "the text of the note" not in one.kept()
    assert '"list:' in one.kept(), "the other notes stay"


def test_a_read_that_was_under_way_brings_nothing_back_of_a_deleted_note(site: Site, opened: Open) -> None:
    note_id = site.note("Late", "the text of the note")
    one = opened(f"/notes/{note_id}", **INTERCEPTED)
    one.value("body", "the text of the note")
    headers = {"Access-Control-Allow-Origin": site.page.url}
    held: list[Route] = []
    urls = [f"{site.query.url}/notes/{note_id}{part}" for part in ("", "/body")]
    before = {url: site.http.get(url).json() for url in urls}
    for url in urls:
        one.page.route(url, lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
    site.post("rename-note", note_id=note_id, title="Later")
    until(lambda: one.page.evaluate("true") and len(held) == 2)  # both are being read
    site.post("delete-note", note_id=note_id)
    one.page.get_by_role("heading", name="This note is deleted").wait_for()
    with one.page.expect_event("requestfinished", lambda request: request.url.endswith("/body")):
        for route in held:
            route.fulfill(headers=headers, json=before[route.request.url])
    assert note_id not in one.kept()


@pytest.mark.parametrize("text", ["_a" * 50_000, ">" * 20_000 + " x"], ids=["slow", "deep"])
def test_a_text_without_a_preview_is_shown_as_it_is_and_stops_nothing(site: Site, opened: Open, text: str) -> None:
    note_id = site.note("Without a preview", text)
    one = opened(f"/notes/{note_id}")
    one.value("body", text)
    one.get("preview-toggle").click()
    shown = one.get("preview")
    shown.get_by_text("This text cannot be previewed.").wait_for()
    assert shown.locator("pre").text_content() == text
    one.get("preview-toggle").click()
    one.value("body", text)


def test_a_dialog_of_others_is_none_and_keeps_no_key_from_the_page(site: Site, opened: Open) -> None:
    note_id = site.note("Dialog", "<dialog open>Your session has ended.</dialog>")
    one = opened(f"/notes/{note_id}")
    one.get("preview-toggle").click()
    one.get("preview").get_by_text("Your session").wait_for()
    assert one.get("preview").locator("dialog").count() == 0
    one.page.keyboard.press("p")
    one.get("body").wait_for()


def test_two_deletions_can_both_be_taken_back_and_one_is_sent_when_the_page_is_left(site: Site, opened: Open) -> None:
    first, second = site.note("First to go"), site.note("Second to go")
    one = opened(f"/notes/{first}", script=SLOW_CLOCK)
    for note_id, title in ((first, "First to go"), (second, "Second to go")):
        one.row(note_id).locator("a").click()
        one.value("title", title)
        one.get("delete").click()
    until(lambda: one.get("undo").count() == 2)
    one.get("undo").first.click()
    one.row(first).wait_for()
    # Told, not left: a browser gives a page that is left half a second, which is over on a busy machine.
    one.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    until(lambda: site.written(second).get("code") == "note_deleted")
    assert site.written(first)["version"] == 1
