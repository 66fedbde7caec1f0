"""Runs the service until it is told to end."""

import argparse

import uvloop

from notes_chassis.http.browsers import with_cors
from notes_chassis.http.server import serve_until_signal
from notes_chassis.memory import relax_collector, return_memory
from notes_query.app import Only, build
from notes_query.settings import Settings, read_settings


def serve(arguments: argparse.Namespace) -> int:
    """Run everything, or the half that was asked for, until SIGTERM or SIGINT; return the exit code."""
    return uvloop.run(_serve(read_settings(), arguments.only))


async def _serve(settings: Settings, only: Only | None) -> int:
    return_memory()
    service = build(settings, only)
    app = with_cors(service.app, settings.cors_origins)
    relax_collector()
    return await serve_until_signal(app, settings.query_host, settings.query_port, service.let_readers_go, settings)
