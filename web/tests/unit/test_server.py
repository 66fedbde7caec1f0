"""What the page's server answers, asked without a socket."""

import gzip
import json
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from notes_web.app import make_app
from notes_web.files import FOLDER, Files, read_files
from notes_web.settings import Settings

SCRIPT = "export const answer = 42\n" * 100
PAGE = '<!doctype html><link href="/style.css"><script type="module" src="/code/main.js"></script><a href="/notes/1">'


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "code").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "style.css").write_text("p {}")
    (tmp_path / "code/main.js").write_text(SCRIPT)
    (tmp_path / "worker.js").write_text("")
    return read_files(tmp_path)


@pytest.fixture
def app(files: Files) -> ASGIApp:
    return make_app(Settings(auth="none"), files)


async def ask(app: ASGIApp, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://page", headers={"Accept-Encoding": ""}
    ) as client:
        return await client.request(
            method, path, headers={name.replace("_", "-"): one for name, one in headers.items()}
        )


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/notes/3f0c", "/search?q=a.b", "/tags/docs", "/operations", "/callback?code=1.2"]
)
async def test_a_deep_link_is_answered_with_the_page(app: ASGIApp, path: str):
    answer = await ask(app, path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-cache"
    assert "<!doctype html>" in answer.text


@pytest.mark.parametrize(
    "path", ["/gone.js", "/code/gone.css", "/static/x/gone.js", "/static/", "/static/x", "/../app.py", "/%2e%2e/app.py"]
)
async def test_a_file_that_is_not_there_is_404(app: ASGIApp, path: str):
    answer = await ask(app, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_what_the_page_links_to_is_kept_for_ever_under_the_digest_of_all_files(app: ASGIApp, files: Files):
    page = (await ask(app, "/")).text
    assert f'href="/static/{files.digest}/style.css"' in page
    assert f'src="/static/{files.digest}/code/main.js"' in page
    assert 'href="/notes/1"' in page, "a link that is no file stays as it is"
    kept = await ask(app, f"/static/{files.digest}/code/main.js")
    assert (kept.text, kept.headers["content-type"]) == (SCRIPT, "text/javascript; charset=utf-8")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/code/main.js", "/static/another/code/main.js"):
        assert (await ask(app, path)).headers["cache-control"] == "no-cache"


def test_the_digest_changes_with_any_file_or_its_name(tmp_path: Path, files: Files):
    digests = {files.digest}
    (tmp_path / "worker.js").write_text(" ")
    digests.add(read_files(tmp_path).digest)
    (tmp_path / "worker.js").rename(tmp_path / "worker2.js")
    digests.add(read_files(tmp_path).digest)
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("accepted", "small"),
    [
        ("gzip, br", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.00", False),
        ("*", True),
        ("br", False),
    ],
)
async def test_text_is_sent_compressed_to_those_who_take_it(app: ASGIApp, accepted: str, small: bool):
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://page") as client,
        client.stream("GET", "/code/main.js", headers={"Accept-Encoding": accepted}) as answer,
    ):
        content = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers.get("content-encoding") == ("gzip" if small else None)
    assert int(answer.headers["content-length"]) == len(content)
    assert (gzip.decompress(content) if small else content).decode() == SCRIPT
    assert (len(content) < len(SCRIPT) / 10) is small


async def test_what_a_browser_has_is_not_sent_again(app: ASGIApp):
    for encoding in ("", "gzip"):
        first = await ask(app, "/", Accept_Encoding=encoding)
        same = await ask(app, "/", Accept_Encoding=encoding, If_None_Match=f'"other", W/{first.headers["etag"]}')
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
        other = await ask(app, "/", Accept_Encoding=encoding, If_None_Match='"other"')
        assert other.status_code == 200


async def test_each_encoding_has_a_tag_of_its_own(app: ASGIApp):
    tags = {(await ask(app, "/code/main.js", Accept_Encoding=one)).headers["etag"] for one in ("", "gzip")}
    assert len(tags) == 2


@pytest.mark.parametrize("path", ["/", "/config.json", "/livez", "/readyz", "/style.css", "/gone.js"])
async def test_head_is_answered_as_get_without_its_body(app: ASGIApp, path: str):
    got, head = await ask(app, path), await ask(app, path, "HEAD")
    assert (head.status_code, head.headers, head.content) == (got.status_code, got.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_nothing_can_be_changed(app: ASGIApp, method: str):
    answer = await ask(app, "/", method)
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_it_is_well_as_soon_as_it_answers(app: ASGIApp, path: str):
    assert (await ask(app, path)).status_code == 200


def test_a_folder_without_a_page_is_refused_at_the_start(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"index\.html is missing"):
        read_files(tmp_path)


def test_the_page_that_ships_can_be_served():
    files = read_files()
    assert all(files.by_path[path].media_type != "application/octet-stream" for path in files.by_path), "add its type"
    for path in (path for path in files.by_path if path.endswith(".json")):
        json.loads(files.by_path[path].content)
    assert (FOLDER / "index.html").is_file()
