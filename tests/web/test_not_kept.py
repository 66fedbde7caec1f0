"""What a person wrote where the browser keeps little or nothing, and what needs them."""

from collections.abc import Callable

from tests.web.browser import INTERCEPTED, Window
from tests.web.site import Site, until

Open = Callable[..., Window]
NO_DATABASE = """Object.defineProperty(window, "indexedDB", { value: { open() {
  const asked = {};
  setTimeout(() => asked.onerror?.(), 0);
  return asked;
} } })"""
NO_STORAGE = 'Object.defineProperty(window, "localStorage", { get() { throw new DOMException("denied"); } });'
NO_LOCKS = 'Object.defineProperty(navigator, "locks", { value: undefined });'

ASKED = """() => new Promise((resolve) => {
  new BroadcastChannel("notes-windows").onmessage = ({ data }) => { if (data === "who") resolve(); };
})"""
"""Whether a window asks which others are open."""


def hold_back(one: Window, site: Site) -> None:
    """Let no command of the window come through."""
    one.page.route(f"{site.command.url}/commands/**", lambda route: route.abort())


def test_a_full_disk_loses_nothing_and_the_page_starts(site: Site, opened: Open) -> None:
    note_id = site.note("Full", "before")
    one = opened(f"/notes/{note_id}", **INTERCEPTED)
    one.value("body", "before")
    devtools = one.context.new_cdp_session(one.page)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": site.page.url, "quotaSize": 1})
    hold_back(one, site)
    text = "written while the disk is full " + "x" * 5_000
    one.get("body").fill(text)
    until(lambda: one.page.evaluate("localStorage['journal of notes']?.includes('the disk is full')"))
    one.page.reload()
    one.value("body", text)
    one.page.unroute_all()
    one.page.keyboard.press("Control+s")
    until(lambda: site.written(note_id)["body"] == text)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": site.page.url})
    until(lambda: one.page.evaluate("localStorage.getItem('journal of notes')") is None)


def test_without_a_database_what_was_written_survives_a_reload(site: Site, opened: Open) -> None:
    note_id = site.note("Private", "before")
    one = opened(f"/notes/{note_id}", script=NO_DATABASE, **INTERCEPTED)
    one.value("body", "before")
    hold_back(one, site)
    one.get("body").fill("written without a database")
    one.page.reload()
    one.value("body", "written without a database")
    one.page.reload()
    one.value("body", "written without a database")
    one.page.unroute_all()
    one.page.keyboard.press("Control+s")
    until(lambda: site.written(note_id)["body"] == "written without a database")


def test_where_nothing_is_kept_that_is_said_before_it_is_lost(site: Site, opened: Open) -> None:
    note_id = site.note("Nowhere", "before")
    one = opened(f"/notes/{note_id}", script=NO_DATABASE + ";" + NO_STORAGE, **INTERCEPTED)
    one.value("body", "before")
    hold_back(one, site)
    one.get("body").fill("kept nowhere")
    one.get("connection").filter(has_text="Not kept in this browser").wait_for()
    with one.page.expect_event("dialog") as asked:
        one.page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.accept()


def test_windows_without_locks_send_each_command_once(site: Site, opened: Open) -> None:
    note_id = site.note("Plain address", "before")
    one = opened(f"/notes/{note_id}", script=NO_LOCKS, **INTERCEPTED)
    one.value("body", "before")
    other = one.context.new_page()
    other.goto("/")
    other.locator('[data-testid=connection][data-state="live"]').wait_for()
    hold_back(one, site)
    one.get("body").fill("that of one window")
    until(lambda: "that of one window" in one.kept())
    # Every window looks for what others left every five seconds: by the fourth question each has looked.
    for _ in range(4):
        one.page.evaluate(ASKED)
    assert site.written(note_id)["version"] == 1


def test_a_text_that_needs_somebody_is_led_to_from_everywhere(site: Site, opened: Open) -> None:
    note_id = site.note("Refused and left", "kept")
    one = opened(f"/notes/{note_id}")
    one.value("body", "kept")
    one.context.set_offline(True)
    one.get("body").fill("a text that is not taken")
    assert site.post("archive-note", note_id=note_id)["status"] == "accepted"
    one.context.set_offline(False)
    one.get("rejected").wait_for()
    one.open("/")
    one.get("needs").get_by_text("1 text needs you").click()
    one.get("needs").get_by_role("link", name="Refused and left").click()
    assert "a text that is not taken" in (one.get("rejected").locator("pre").text_content() or "")
    one.page.get_by_role("button", name="Put away").click()
    one.get("needs").wait_for(state="detached")


def test_more_than_a_note_may_have_is_not_taken_and_said(site: Site, opened: Open) -> None:
    note_id = site.note("Long", "😀" * 60_000)
    one = opened(f"/notes/{note_id}")
    one.value("body", "😀" * 60_000)
    one.get("body").press("Control+End")
    one.page.keyboard.type("!")
    until(lambda: site.written(note_id)["body"] == "😀" * 60_000 + "!")
    one.page.keyboard.insert_text("y" * 50_000)
    one.page.get_by_text("at most 100,000 characters").wait_for()
    one.value("body", "😀" * 60_000 + "!")
