"""Real servers for the tests that ask for them, in every package: see tests/servers."""

import structlog

pytest_plugins = ["tests.servers.plugin"]

# Structlog's own default draws tracebacks with rich, which takes up to a second each.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)
