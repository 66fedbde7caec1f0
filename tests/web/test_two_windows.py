"""Two people on one note: each sees what the other does, and nothing that either wrote is lost."""

from collections.abc import Callable

from playwright.sync_api import Route

from tests.web.browser import INTERCEPTED, Window
from tests.web.site import Site, until

Open = Callable[..., Window]


def test_each_sees_what_the_other_writes(site: Site, opened: Open) -> None:
    note_id = site.note("Shared", "first")
    one, other = opened(f"/notes/{note_id}"), opened(f"/notes/{note_id}")
    one.get("title").fill("Shared by two")
    other.value("title", "Shared by two")
    other.get("body").fill("second, from the other window")
    one.value("body", "second, from the other window")
    for window in (one, other):
        window.settled(3)
        assert window.row(note_id).locator(".title").inner_text() == "Shared by two"
        assert window.flickers() == []


def test_both_write_different_parts_at_once(site: Site, opened: Open) -> None:
    note_id = site.note("Before", "before")
    one, other = opened(f"/notes/{note_id}"), opened(f"/notes/{note_id}")
    one.get("title").fill("After")
    other.get("body").fill("after")
    for window in (one, other):
        window.settled(3)
        window.value("title", "After")
        window.value("body", "after")
        assert window.get("conflict").count() == 0
        assert window.flickers() == []


def test_both_write_the_same_text_at_once_and_one_chooses(
    site: Site, opened: Open, picture: Callable[[Window, str], None]
) -> None:
    note_id = site.note("Minutes of the meeting", "We met on Monday.")
    one, other = opened(f"/notes/{note_id}"), opened(f"/notes/{note_id}")
    one.context.set_offline(True)
    one.get("body").fill("We met on Monday, and agreed.")
    other.get("body").fill("We met on Monday, and did not agree.")
    other.settled(2)
    one.context.set_offline(False)
    one.get("conflict").wait_for()
    picture(one, "conflict")
    assert one.barriers() == []
    shown = one.get("conflict").inner_text()
    assert "We met on Monday, and agreed." in shown
    assert "We met on Monday, and did not agree." in shown
    assert one.get("body").input_value() == "We met on Monday, and agreed.", "mine stays on the screen until I choose"
    one.get("keep-mine").click()
    for window in (one, other):
        window.settled(3)
        window.value("body", "We met on Monday, and agreed.")
    assert one.get("conflict").count() == 0
    assert site.written(note_id)["body"] == "We met on Monday, and agreed."


def test_the_history_shows_what_the_stream_tells_and_then_who_did_it(site: Site, opened: Open) -> None:
    note_id = site.note("History", "first")
    one = opened(f"/notes/{note_id}", **INTERCEPTED)
    one.get("history-toggle").click()
    newest = one.page.locator(".history li").first
    newest.filter(has_text="v1").wait_for()
    held: list[Route] = []
    reads = f"{site.query.url}/notes/{note_id}/history?*"
    one.page.route(reads, lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright marks it
    with one.page.expect_request(reads):
        site.post("rename-note", note_id=note_id, title="Renamed by another")
    newest.filter(has_text="v2").filter(has_text="renamed").filter(has_text="…").wait_for()
    (route,) = held
    assert "after_version=1" in route.request.url, "what is known is not read again"
    route.continue_()
    newest.filter(has_text="v2").filter(has_text="unnamed").wait_for()
    assert one.page.locator(".history li").count() == 2


def test_what_a_secondary_of_the_read_store_did_not_have_yet_is_read_again(site: Site, opened: Open) -> None:
    note_id = site.note("Behind", "before")
    one, other = opened(f"/notes/{note_id}", **INTERCEPTED), opened("/", **INTERCEPTED)
    other.row(note_id).wait_for()
    headers = {"Access-Control-Allow-Origin": site.page.url}

    def behind_once(window: Window, path: str) -> None:
        before = site.http.get(site.query.url + path).json()
        window.page.route(site.query.url + path, lambda route: route.fulfill(headers=headers, json=before), times=1)

    behind_once(one, f"/notes/{note_id}")
    behind_once(one, f"/notes/{note_id}/body")
    behind_once(other, f"/notes?id={note_id}")
    assert site.post("rename-note", note_id=note_id, title="Ahead")["version"] == 2
    one.settled(2)
    one.value("title", "Ahead")
    other.row(note_id).filter(has_text="Ahead").wait_for()


def test_theirs_can_be_taken(site: Site, opened: Open) -> None:
    note_id = site.note("Theirs", "begin")
    one = opened(f"/notes/{note_id}")
    one.context.set_offline(True)
    one.get("title").fill("Mine")
    assert site.post("rename-note", note_id=note_id, title="Of the other")["version"] == 2
    one.context.set_offline(False)
    one.get("conflict").wait_for()
    one.get("take-theirs").click()
    one.settled(2)
    one.value("title", "Of the other")
    assert site.written(note_id)["version"] == 2


def test_a_note_that_another_deletes_goes_from_the_list(site: Site, opened: Open) -> None:
    note_id = site.note("Short-lived")
    one = opened("/")
    one.row(note_id).wait_for()
    site.post("delete-note", note_id=note_id)
    until(lambda: one.row(note_id).count() == 0)
    assert one.flickers() == []


def test_what_another_writes_while_a_word_is_composed_is_not_overwritten(site: Site, opened: Open) -> None:
    note_id = site.note("Composed", "before")
    one = opened(f"/notes/{note_id}")
    one.value("body", "before")
    one.get("body").press("Control+End")
    devtools = one.context.new_cdp_session(one.page)
    devtools.send("Input.imeSetComposition", {"text": "he", "selectionStart": 2, "selectionEnd": 2})
    one.settled(2)
    assert site.post("update-note", note_id=note_id, body="a line of another")["version"] == 3
    one.settled(3)
    one.value("body", "beforehe")
    devtools.send("Input.insertText", {"text": "hello"})
    one.get("conflict").wait_for()
    assert "a line of another" in one.get("conflict").inner_text()
    assert site.written(note_id)["body"] == "a line of another"


def test_a_composition_that_is_given_up_shows_what_another_wrote(site: Site, opened: Open) -> None:
    note_id = site.note("Given up", "before")
    one = opened(f"/notes/{note_id}")
    one.value("body", "before")
    one.get("body").press("Control+End")
    one.context.set_offline(True)
    devtools = one.context.new_cdp_session(one.page)
    devtools.send("Input.imeSetComposition", {"text": "he", "selectionStart": 2, "selectionEnd": 2})
    one.value("body", "beforehe")
    assert site.post("update-note", note_id=note_id, body="that of another")["version"] == 2
    devtools.send("Input.imeSetComposition", {"text": "", "selectionStart": 0, "selectionEnd": 0})
    one.context.set_offline(False)
    one.settled(2)
    one.value("body", "that of another")
    assert one.get("conflict").count() == 0


def test_a_title_that_another_gave_while_it_was_empty_here_is_not_overwritten(site: Site, opened: Open) -> None:
    note_id = site.note("Before")
    one = opened(f"/notes/{note_id}")
    one.value("title", "Before")
    one.get("title").fill("")
    assert site.post("rename-note", note_id=note_id, title="Of the other")["version"] == 2
    one.settled(2)
    one.value("title", "")
    one.page.keyboard.type("Mine")
    one.get("conflict").wait_for()
    assert site.written(note_id)["title"] == "Of the other"


def test_six_windows_of_one_browser_can_all_read(site: Site, opened: Open) -> None:
    note_id = site.note("Six", "the text")
    hidden = "Object.defineProperty(document, 'hidden', { get: () => window.away === true });"
    one = opened("/", script=hidden)
    for _ in range(4):
        one.page = one.context.new_page()
        one.open("/")
    for page in one.context.pages:
        page.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    one.page = one.context.new_page()
    one.open("/")
    for page in one.context.pages[:5]:
        page.locator('[data-testid=connection][data-state="connecting"]').wait_for()
    one.row(note_id).locator("a").click()
    one.value("body", "the text")
    first = one.context.pages[0]
    first.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    first.locator('[data-testid=connection][data-state="live"]').wait_for()
