"""`python -m notes_web serve`."""

import argparse
import sys

from notes_chassis.memory import uncollected

with uncollected():
    import uvloop

    from notes_chassis.http.server import serve_until_signal
    from notes_chassis.settings import run
    from notes_web.app import make_app
    from notes_web.files import read_files
    from notes_web.settings import read_settings


def serve(_: argparse.Namespace) -> int:
    """Serve the page until SIGTERM or SIGINT; return the exit code."""
    settings = read_settings()
    app = make_app(settings, read_files())
    return uvloop.run(serve_until_signal(app, settings.web_host, settings.web_port, lambda: None, settings))


def parse() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m notes_web", description="The page of Notes.")
    parser.add_subparsers(dest="command", required=True).add_parser("serve", help="serve the page over HTTP")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run({"serve": serve}, parse()))
