"""Real servers for the tests that ask for them, in every package: see tests/servers.

Tests run open to everybody, and say so; several services at once have ops listeners on ports that are free.
"""

import gc
import os

os.environ.update(NOTES_AUTH="none", NOTES_COMMAND_OPS_PORT="0", NOTES_QUERY_OPS_PORT="0")

import structlog

if "NOTES_KAFKA" in os.environ or "NOTES_POSTGRES" in os.environ or "NOTES_MONGO" in os.environ:
    from tools.stack.state import forget_ours

    forget_ours()  # tests start servers of their own, though this shell has sourced .stack/env

gc.disable()  # until every test is imported: tests.servers.plugin

pytest_plugins = ["tests.servers.plugin"]

# Structlog's own default draws tracebacks with rich, which takes up to a second each.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)
