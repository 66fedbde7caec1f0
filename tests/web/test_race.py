"""A thousand edits from two windows and from elsewhere, all at once: in the end everybody has the same."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.web.browser import Window
from tests.web.site import Site, until

Open = Callable[..., Window]
NOTES = 10
ROUNDS = 20
"""In each of which two people press four keys, one in the title and one in the text."""
OTHERS = 1_000 - 2 * 4 * ROUNDS
"""Edits that come from elsewhere."""


def test_after_a_thousand_edits_page_read_side_and_write_side_are_equal(site: Site, opened: Open) -> None:
    notes = [site.note(f"Race {number}", f"body {number}", ("race",)) for number in range(NOTES)]
    open_note, *others = notes
    one, other = opened(f"/notes/{open_note}?tag=race"), opened(f"/notes/{open_note}?tag=race")
    choose = random.Random(1).choice

    def edit(number: int) -> None:
        note_id = choose(others)
        if number % 2:
            site.post("rename-note", wait=0, note_id=note_id, title=f"Renamed {number}")
        else:
            site.post("update-note", wait=0, note_id=note_id, body=f"Text {number}")

    with ThreadPoolExecutor(8) as pool:
        done = pool.map(edit, range(OTHERS))
        for number in range(ROUNDS):
            one.get("title").press_sequentially(f"{number:03d}\u00b7")
            other.get("body").press_sequentially(f"{number:03d}\u00b7")
        list(done)

    written = {note_id: site.written(note_id) for note_id in notes}
    for window in (one, other):
        window.page.locator('article.note[data-pending="0"]').wait_for()

    def equal() -> bool:
        written.update({note_id: site.written(note_id) for note_id in notes})
        read = {note_id: site.read(note_id, written[note_id]["version"]) for note_id in notes}
        same = ("title", "body", "tags", "status", "version")
        return all(read[one][name] == written[one][name] for one in notes for name in same)

    until(equal)
    for window in (one, other):
        for note_id in notes:
            place = window.row(note_id).locator(".title")
            until(lambda place=place, note_id=note_id: place.text_content() == written[note_id]["title"])
        window.value("title", written[open_note]["title"])
        window.value("body", written[open_note]["body"])
        window.settled(written[open_note]["version"])
        assert window.flickers() == []
    assert written[open_note]["title"].count("\u00b7") == written[open_note]["body"].count("\u00b7") == ROUNDS
    assert sum(note["version"] - 1 for note in written.values()) >= OTHERS
