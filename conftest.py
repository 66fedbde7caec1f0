"""Real servers for the tests that ask for them, in every package: see tests/servers."""

pytest_plugins = ["tests.servers.plugin"]
