"""The site closed: people sign in at the issuer, sessions are renewed unseen, and one that ends loses nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, Request, Route

from tests.harness.issuer_process import issuer_process
from tests.servers.addresses import Servers
from tests.servers.background import Background
from tests.web.browser import INTERCEPTED, NOTHING, Window, window
from tests.web.site import Site, running_site, until
from tools.issuer.app import SECRET
from tools.issuer.issuer import LASTS_S

CLOCK = "const { now } = Date; window.aheadMs = 0; Date.now = () => now() + window.aheadMs;"
NEARLY_OVER_MS = (LASTS_S - 5) * 1000
"""How old a token is that the page renews: it does when 10 s of it are left."""
ANNAS = "notes-Anna"
"""The database of who signs in as Anna."""


@dataclass
class Closed:
    site: Site
    issuer: str


@pytest.fixture(scope="module")
def closed(
    servers: Servers, postgres_template: str, background: Background, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Closed]:
    """Give a site that asks for tokens."""
    folder = tmp_path_factory.mktemp("closed")
    with issuer_process(folder / "issuer.log") as issuer:
        settings = issuer.settings | {
            "NOTES_WEB_CLIENT_ID": "notes-web",
            "NOTES_QUERY_CLIENT_ID": "query-service",
            "NOTES_QUERY_CLIENT_SECRET": SECRET,
        }
        with running_site(servers, postgres_template, background, folder, **settings) as site:
            site.http.headers.update(issuer.token(lasts=3600))
            yield Closed(site, issuer.url)


@pytest.fixture
def visitor(closed: Closed, browser: Browser) -> Iterator[Window]:
    with window(browser, closed.site.page.url, script=CLOCK, **INTERCEPTED) as visitor:
        yield visitor


def sign_in(visitor: Window, name: str = "Anna") -> None:
    visitor.get("sign-in").click()
    visitor.page.get_by_label("Name").fill(name)
    visitor.page.get_by_role("button", name="Log in").click()
    visitor.page.locator('[data-testid=connection][data-state="live"]').wait_for()


def test_a_deep_link_survives_signing_in_and_tokens_are_renewed_unseen(
    closed: Closed, visitor: Window, picture: Callable[[Window, str], None]
) -> None:
    site = closed.site
    note_id = site.note("Closed", "for those who signed in")
    visitor.page.goto(f"/notes/{note_id}")
    visitor.get("sign-in").wait_for()
    picture(visitor, "signed-out")
    assert visitor.barriers() == []
    sign_in(visitor)
    assert visitor.page.url == f"{site.page.url}/notes/{note_id}"
    visitor.value("body", "for those who signed in")
    assert visitor.page.get_by_text("Anna").is_visible()
    tokens: list[str] = []

    def asked(request: Request) -> None:
        if token := request.headers.get("authorization"):
            tokens.append(token)

    visitor.page.on("request", asked)
    visitor.get("body").fill("written with the first token")
    visitor.settled(2)
    visitor.page.evaluate(f"window.aheadMs = {NEARLY_OVER_MS}")
    with visitor.page.expect_request(lambda request: request.url == f"{closed.issuer}/token"):
        visitor.get("body").fill("written with the second token")
    visitor.settled(3)
    assert visitor.get("sign-in").count() == 0
    assert site.written(note_id)["body"] == "written with the second token"
    assert len(set(tokens)) == 2
    assert visitor.page.evaluate("() => [localStorage.length, document.cookie]") == [0, ""]
    kept = visitor.page.evaluate("() => JSON.stringify(sessionStorage)")
    assert not any(token.removeprefix("Bearer ") in kept for token in tokens), "tokens are in memory alone"


def test_what_is_written_when_the_session_has_ended_is_sent_after_signing_in_again(
    closed: Closed, visitor: Window
) -> None:
    site = closed.site
    note_id = site.note("Ends", "before")
    visitor.page.goto(f"/notes/{note_id}")
    sign_in(visitor)
    visitor.value("body", "before")
    httpx.post(f"{closed.issuer}/end-sessions", trust_env=False)
    visitor.page.route(
        f"{site.command.url}/**",
        lambda route: (
            route.fulfill(
                status=401,
                headers={"Access-Control-Allow-Origin": site.page.url},
                json={"status": 401, "code": "unauthenticated"},
            )
            if route.request.method == "POST"
            else route.continue_()
        ),
    )
    visitor.get("body").fill("written too late")
    visitor.get("sign-in").wait_for()
    assert "1 change is kept here" in visitor.page.get_by_role("dialog").inner_text()
    assert site.written(note_id)["version"] == 1
    visitor.page.unroute_all()
    sign_in(visitor)
    visitor.settled(2)
    assert site.written(note_id)["body"] == "written too late"


def test_who_may_only_read_is_not_offered_to_write(closed: Closed, visitor: Window) -> None:
    note_id = closed.site.note("Readers", "for everybody")
    visitor.page.goto(f"/notes/{note_id}")
    visitor.get("sign-in").click()
    visitor.page.get_by_label("Name").fill("Berta")
    for scope in ("notes.write", "notes.admin"):
        visitor.page.get_by_label(scope).uncheck()
    visitor.page.get_by_role("button", name="Log in").click()
    visitor.value("body", "for everybody")
    assert visitor.get("new-note").is_disabled()
    assert not visitor.get("body").is_editable()
    assert visitor.page.get_by_role("button", name="Operations").count() == 0


def test_signing_out_ends_it_in_every_window_and_at_the_issuer_and_leaves_nothing(
    closed: Closed, visitor: Window
) -> None:
    site = closed.site
    note_id = site.note("Common", "before")
    other = Window(visitor.context.new_page(), visitor.context)
    other.listen()
    for one in (visitor, other):
        one.page.goto(f"/notes/{note_id}")
        sign_in(one)
        one.value("body", "before")
    other.page.route(f"{site.command.url}/**", lambda route: route.abort())
    other.get("body").fill("not sent yet")
    until(lambda: "not sent yet" in visitor.kept(ANNAS))
    visitor.page.get_by_role("button", name="Sign out").click()
    assert "1 of your changes" in visitor.page.get_by_role("alertdialog").inner_text(), "that of the other window"
    with visitor.page.expect_request(lambda request: request.url.startswith(f"{closed.issuer}/logout?")):
        visitor.get("yes").click()
    for one in (visitor, other):
        one.page.wait_for_url(f"{site.page.url}/")
        one.get("sign-in").wait_for()
    site.post("update-note", note_id=note_id, body="after")
    assert site.read(note_id, 2)["body"] == "after"
    assert visitor.kept(ANNAS) == NOTHING
    assert other.faults == []


def test_a_read_that_ends_after_signing_out_is_not_kept(closed: Closed, visitor: Window) -> None:
    site = closed.site
    visitor.page.goto("/")
    sign_in(visitor)
    until(lambda: '"list:' in visitor.kept(ANNAS))
    reads: list[Route] = []
    lists, logout = f"{site.query.url}/notes?status=active", f"{closed.issuer}/logout?"
    visitor.page.route(lambda url: url.startswith(lists), lambda route: reads.append(route))  # noqa: PLW0108
    # Without content, a browser stays on the page.
    visitor.page.route(lambda url: url.startswith(logout), lambda route: route.fulfill(status=204))
    note_id = site.note("Late")
    until(lambda: visitor.page.evaluate("true") and reads)
    with visitor.page.expect_request(lambda request: request.url.startswith(logout)):
        visitor.page.get_by_role("button", name="Sign out").click()
    assert visitor.kept(ANNAS) == NOTHING
    reads[-1].continue_()
    visitor.row(note_id).wait_for(state="attached")
    assert visitor.kept(ANNAS) == NOTHING


def test_an_issuer_that_is_away_for_a_moment_ends_no_session(closed: Closed, visitor: Window) -> None:
    site = closed.site
    note_id = site.note("Away", "before")
    visitor.page.goto(f"/notes/{note_id}")
    sign_in(visitor)
    visitor.value("body", "before")
    visitor.page.route(f"{closed.issuer}/token", lambda route: route.abort("internetdisconnected"), times=1)
    visitor.page.evaluate(f"window.aheadMs = {NEARLY_OVER_MS}")
    with visitor.page.expect_event("requestfailed", lambda request: request.url == f"{closed.issuer}/token"):
        visitor.get("body").fill("written meanwhile")
    until(lambda: site.written(note_id)["body"] == "written meanwhile")
    assert visitor.get("sign-in").count() == 0


def test_an_issuer_that_cannot_be_reached_is_said(closed: Closed, visitor: Window) -> None:
    visitor.page.goto("/")
    visitor.page.route(lambda url: url.startswith(closed.issuer), lambda route: route.abort())
    visitor.get("sign-in").click()
    visitor.page.get_by_text("Signing in did not succeed").wait_for()
