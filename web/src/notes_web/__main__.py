"""`python -m notes_web serve`."""

import argparse
import sys

import uvloop

from notes_chassis.http.server import Server
from notes_web.app import make_app
from notes_web.files import read_files
from notes_web.settings import Settings, read_settings


def run() -> int:
    """Serve the page until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m notes_web", description="The page of Notes.")
    parser.add_subparsers(dest="command", required=True).add_parser("serve", help="serve the page over HTTP")
    parser.parse_args()
    settings = read_settings()
    return 2 if settings is None else uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    app = make_app(settings, read_files())
    server = Server(app, settings.web_host, settings.web_port, lambda: None, settings)
    await server.run_until_signal()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(run())
