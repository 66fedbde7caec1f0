"""The page for everybody: by keyboard alone, with a screen reader, in the dark, on a phone, over a slow line."""

import re
from collections.abc import Callable

import pytest

from tests.web.browser import Window
from tests.web.site import Site

Open = Callable[..., Window]
SENT_MAX = 120_000
"""Bytes of the page as they travel, without Markdown."""
TEXT = """# Reading list

Three books on **distributed systems**, and why:

- *Designing Data-Intensive Applications*: the map
- *Release It!*: what breaks at night
- `outbox` and `inbox`: see [the guarantees](https://example.com)

> Ship the smallest thing that is true.
"""
NOTES = {
    "Reading list": (TEXT, "books", "work"),
    "Trip to Lisbon": ("Trams, tiles and the river. Trains on Friday.", "travel"),
    "Release 1.4: what is left": (
        "Distributed tests run on three machines; the notes for upgraders are missing.",
        "work",
        "release",
    ),
    "Recipes": ("Lentils, lemon, a little cumin.", "home"),
    "Ideas for the garden": ("Sage by the wall. Seeds are distributed in April.", "home", "garden"),
    "Interview notes": ("Asked about distributed systems and what breaks in them.", "work"),
}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def notes(site: Site) -> list[str]:
    """Give notes as people have them, which a search finds."""
    made = [site.note(title, text, tags) for title, (text, *tags) in NOTES.items()]
    site.found("distributed", 4)
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    notes: list[str], opened: Open, picture: Callable[[Window, str], None], scheme: str
) -> None:
    one = opened("/", color_scheme=scheme, viewport={"width": 1280, "height": 800})
    one.row(notes[0]).wait_for()
    found = one.barriers()
    picture(one, f"list-{scheme}")
    one.row(notes[0]).get_by_role("link").click()
    one.value("body", TEXT)
    one.get("history-toggle").click()
    one.page.locator(".history li").first.wait_for()
    found += one.barriers()
    picture(one, f"note-{scheme}")
    one.get("history-toggle").click()
    one.get("preview-toggle").click()
    one.page.get_by_role("heading", name="Reading list").wait_for()
    found += one.barriers()
    picture(one, f"preview-{scheme}")
    assert found == []


def test_axe_finds_nothing_serious_in_a_search_and_where_there_is_nothing(
    notes: list[str], opened: Open, picture: Callable[[Window, str], None]
) -> None:
    one = opened("/")
    one.get("search").fill("distributed")
    one.row(notes[0]).locator("mark").first.wait_for()
    picture(one, "search")
    found = one.barriers()
    one.get("search").fill("quincunx")  # no other test writes this word into the notes that all share
    one.page.get_by_text("Nothing was found").wait_for()
    picture(one, "empty")
    assert found + one.barriers() == []


def test_a_phone_shows_one_thing_at_a_time_and_never_scrolls_sideways(
    notes: list[str], opened: Open, picture: Callable[[Window, str], None]
) -> None:
    one = opened("/", **PHONE)
    one.row(notes[1]).wait_for()
    found = one.barriers()
    picture(one, "phone-list")
    one.row(notes[0]).get_by_role("link").tap()
    one.value("body", TEXT)
    picture(one, "phone-note")
    assert found + one.barriers() == []
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not one.page.evaluate(wide)
    one.page.get_by_role("link", name="Back to the list").tap()
    one.row(notes[0]).wait_for(state="visible")
    assert not one.page.evaluate(wide)


def test_everything_can_be_done_by_keyboard(site: Site, opened: Open) -> None:
    one = opened("/")
    keys = one.page.keyboard
    keys.press("n")
    one.page.wait_for_function("() => document.activeElement.id === 'title'")
    keys.type("By keyboard alone")
    keys.press("Enter")
    keys.type("A text.")
    keys.press("Escape")
    keys.press("t")
    keys.type("keys")
    keys.press("Enter")
    keys.press("Escape")
    note_id = re.findall(r"[0-9a-f-]{36}", one.page.url)[0]
    one.page.locator('article.note[data-pending="0"]').wait_for()
    written = site.written(note_id)
    assert (written["title"], written["body"], written["tags"]) == ("By keyboard alone", "A text.", ["keys"])
    keys.press("a")
    one.page.get_by_text("This note is archived").wait_for()
    keys.press("a")
    one.page.locator("article.note .strip").wait_for(state="detached")
    site.found("keyboard", 1)
    keys.press("/")
    keys.type("keyboard")
    one.page.wait_for_function("() => document.querySelector('[data-testid=note-row] mark')")
    keys.press("Escape")
    keys.press("j")
    one.value("title", "By keyboard alone")
    keys.press("#")
    one.row(note_id).wait_for(state="detached")
    keys.press("?")
    one.page.get_by_role("dialog", name="Keys").wait_for()
    assert one.barriers() == []


def test_the_page_is_small(site: Site, opened: Open, tell: Callable[[str], None]) -> None:
    one = opened("/")
    loaded = one.page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    ours = {url for url in loaded if url.startswith(site.page.url)} | {site.page.url}
    sizes = {url: len(site.http.get(url, headers={"Accept-Encoding": "gzip"}).read()) for url in ours}
    sent = {}
    for url in sizes:
        with site.http.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
            sent[url] = len(b"".join(answer.iter_raw()))
    assert not [url for url in sent if re.search("marked|dompurify|oidc", url)], "what is not needed is not loaded"
    tell(f"{sum(sent.values()):,} bytes compressed, of {sum(sizes.values()):,}, in {len(sent)} files")
    assert 10_000 < sum(sent.values()) <= SENT_MAX
