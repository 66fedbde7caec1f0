"""What an image runs to ask its service how it is."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

HEALTH = Path(__file__).parents[2] / "deploy" / "health.py"


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 503)
        self.end_headers()
        self.wfile.write(b"why")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def ask(path: str, port: int) -> tuple[int, str, str]:
    settings = {"PORT_SETTING": "NOTES_WEB_PORT", "NOTES_WEB_PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
    command = [sys.executable, "-I", "-S", str(HEALTH), path]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_exit_code_says_whether_it_is_well(port: int) -> None:
    assert ask("/livez", port) == (0, "200 why\n", "")
    assert ask("/readyz", port) == (1, "503 why\n", "")


def test_who_does_not_answer_is_not_well() -> None:
    code, _, complaint = ask("/livez", 1)
    assert (code, "/livez does not answer" in complaint) == (1, True)
