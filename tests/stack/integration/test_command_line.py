"""What `python -m tools.stack` does for people, on given servers, with stand-ins for the services and the page."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.programs import Ended, ended
from tests.servers.addresses import Servers
from tools.stack.health import check_postgres
from tools.stack.launcher import start_mark
from tools.stack.state import shown

SERVICE = """
import http.server, os, socket, sys
if os.environ.get("BREAK") == " ".join([__package__, sys.argv[1]]):
    sys.exit("no luck today")
if sys.argv[1] == "serve":
    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/readyz" else 404)
            self.end_headers()
    name = "NOTES_" + __package__.partition("_")[2].upper()
    port, ops = int(os.environ[name + "_PORT"]), os.environ.get(name + "_OPS_PORT")
    another = socket.create_server(("127.0.0.1", int(ops))) if ops else None
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Ready).serve_forever()
"""


class Stack:
    def __init__(self, servers: Servers, folder: Path) -> None:
        self.folder = folder / "stack"
        for module in ("notes_command", "notes_query", "notes_web"):
            (folder / module).mkdir()
            (folder / module / "__init__.py").touch()
            (folder / module / "__main__.py").write_text(SERVICE)
        given = {"KAFKA": servers.kafka, "POSTGRES": servers.postgres, "MONGO": servers.mongo}
        ours = {name: value for name, value in os.environ.items() if not name.endswith("_OPS_PORT")}
        self.env = {**ours, **{f"NOTES_{key}": value for key, value in given.items()}}
        self.env["PYTHONPATH"] = str(folder)

    def run(self, *words: str, **env: str) -> Ended:
        """Run it in a fork, and what it starts by the path that has the stand-ins."""
        said = ("--state", str(self.folder))
        return ended("tools.stack", *words, *said, environment={**self.env, **env}, deployed=False)

    def pids(self) -> dict[str, int]:
        return {path.stem: json.loads(path.read_text())["pid"] for path in self.folder.glob("run/*.json")}


@pytest.fixture
def stack(servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    one = Stack(servers, tmp_path)
    yield one
    one.run("down", "--purge")


def test_up_is_repeatable_and_down_stops_only_what_up_started(stack: Stack, servers: Servers):
    first = stack.run("up")
    assert first.code == 0, first.err
    assert f"NOTES_KAFKA={servers.kafka}\n" in first.out
    assert first.out == shown((stack.folder / "env").read_text())
    before = stack.pids()
    assert before.keys() == {"command", "query", "web", "keeper"}
    prepared = (stack.folder / "logs" / "schema-and-topics.log").stat().st_mtime_ns
    again = stack.run("up", http_proxy="http://127.0.0.1:9", no_proxy="", NO_PROXY="")
    assert again.code == 0, again.err
    assert again.out == first.out
    assert "give no_proxy=127.0.0.1 to curl" in again.err
    assert "no_proxy" not in first.err
    assert stack.pids() == before
    assert (stack.folder / "logs" / "schema-and-topics.log").stat().st_mtime_ns == prepared, "there was nothing to do"
    healthy = stack.run("status")
    assert healthy.code == 0
    assert healthy.out.count("healthy") == 6
    assert healthy.out.count("given") == 3
    for written in (first, again, healthy):
        assert ":notes@" not in written.out + written.err, "a password"
    assert stack.run("down").code == 0
    assert stack.pids() == {}
    assert not (stack.folder / "env").exists()
    assert stack.run("status").code == 1
    check_postgres(servers.postgres)


def test_a_service_that_dies_is_started_again_which_status_says_and_down_ends_it(stack: Stack):
    assert stack.run("up").code == 0
    pids = stack.pids()
    os.kill(pids["query"], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (status := stack.run("status")).code or "healthy, restarts: 1" not in status.out:
        assert time.monotonic() < deadline, status.out
    new = stack.pids()
    assert new["query"] != pids["query"]
    assert stack.run("down").code == 0
    assert [pid for pid in (new["query"], new["keeper"]) if start_mark(pid)] == []


def test_after_a_crash_everything_has_its_port_again_though_the_keeper_keeps_it_for_nobody_else(stack: Stack):
    first = stack.run("up")
    order = stack.folder / "run" / "query.order"
    order.write_text(json.dumps({**json.loads(order.read_text()), "argv": ["false"]}))
    os.kill(stack.pids()["query"], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while "query had ended" not in (stack.folder / "logs" / "keeper.log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = stack.run("up")
    assert again.code == 0, again.err
    assert again.out == first.out
    assert shown((stack.folder / "env").read_text()) == first.out
    before = stack.pids()
    assert start_mark(before["keeper"]), "there is a new one"
    moved = stack.env["NOTES_KAFKA"].replace("127.0.0.1", "localhost")
    assert stack.run("up", NOTES_KAFKA=moved).code == 0
    assert before.items() & stack.pids().items() == set(), "what had the old address would never find the server"


@pytest.mark.parametrize(
    ("broken", "sentence", "auth"),
    [
        ("notes_command migrate", "`notes_command migrate` ended with exit code 1.", "oidc"),
        ("notes_query serve", "query-service did not start: the process has ended.", "none"),
    ],
)
def test_what_fails_is_named_with_its_last_words_and_its_log(stack: Stack, broken: str, sentence: str, auth: str):
    failed = stack.run("up", BREAK=broken, AUTH=auth)
    assert failed.code == 1
    assert sentence in failed.err
    assert "| no luck today" in failed.err
    assert f"Log: {stack.folder}/logs/" in failed.err
    assert "Traceback" not in failed.err
    assert start_mark(stack.pids()["keeper"]), "what did start is kept"
    again = stack.run("up")
    assert again.code == 0, "and the next try goes on from there"
    assert f"NOTES_AUTH={auth}\n" in again.out, "as closed as it was"


def test_an_address_that_does_not_answer_is_named_without_its_password(stack: Stack):
    closed = stack.run("up", NOTES_POSTGRES="postgresql://notes:s3cr3t@127.0.0.1:9/notes")
    assert closed.code == 1
    assert "NOTES_POSTGRES is set to postgresql://notes:…@127.0.0.1:9/notes, which does not answer" in closed.err
    assert "s3cr3t" not in closed.out + closed.err
    failed = stack.run("up", NOTES_KAFKA="127.0.0.1:9")
    assert failed.code == 1
    assert "NOTES_KAFKA is set to 127.0.0.1:9, which does not answer" in failed.err
    assert "Traceback" not in failed.err
