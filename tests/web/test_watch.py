"""What counts flickers is seen to count one."""

from collections.abc import Callable

from tests.web.browser import Window
from tests.web.site import Site

FLICKER = """() => {
  const title = document.querySelector("[data-testid=title]");
  const row = document.querySelector("[data-testid=note-row] .title");
  const before = title.value;
  title.value = "something else";
  title.value = before;
  const text = row.firstChild;
  return new Promise((resolve) => {
    text.data = "another";
    setTimeout(() => { text.data = before; setTimeout(() => resolve(before)); });
  });
}"""


def test_what_comes_back_is_counted_in_fields_and_rows(site: Site, opened: Callable[..., Window]) -> None:
    note_id = site.note("Comes back", "", ("watched",))
    one = opened(f"/notes/{note_id}?tag=watched")
    one.row(note_id).wait_for()
    one.value("title", "Comes back")
    assert one.flickers() == []
    one.page.evaluate(FLICKER)
    assert [place.split()[0] for place in one.flickers()] == ["title", "row"]
