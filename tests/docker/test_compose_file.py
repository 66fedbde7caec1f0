"""docker-compose.yml agrees with what else knows the servers: the services' settings, tools/stack, the test servers."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from notes_command.settings import Settings as CommandSettings
from notes_query.settings import Settings as QuerySettings
from notes_web.settings import Settings as WebSettings
from tests.servers import containers
from tools.stack import docker, kafka
from tools.stack.state import SERVERS, shell_lines

REPOSITORY = Path(__file__).parents[2]
PUBLISHED = {
    "kafka": 9092,
    "postgres": 5432,
    "mongo": 27017,
    "command": 8081,
    "query": 8080,
    "web": 8082,
    "command_ops": 9081,
    "query_ops": 9080,
}
SIDES = ("command", "query")
STEPS = {"topics-command": "command", "migrate": "command", "topics-query": "query"}
SETTINGS: dict[str, type[BaseSettings]] = {"command": CommandSettings, "query": QuerySettings, "web": WebSettings}
# Where the broker listens and keeps its log is for each backend to say, the rest is the same everywhere.
PLACES = {
    "controller.quorum.voters",
    "listeners",
    "advertised.listeners",
    "listener.security.protocol.map",
    "log.dirs",
}

Compose = dict[str, Any]


def read(path: str) -> Compose:
    found: Compose = yaml.safe_load((REPOSITORY / path).read_text())
    return found


@pytest.fixture(scope="module")
def services() -> Compose:
    found: Compose = read("docker-compose.yml")["services"]
    return found


def test_the_servers_are_those_that_tests_run_on(services: Compose):
    images = [services[name]["image"] for name in SERVERS]
    assert images == [containers.KAFKA, containers.POSTGRES, containers.MONGO]


def test_the_broker_is_set_as_without_docker(services: Compose):
    given = {
        key.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for key, value in services["kafka"]["environment"].items()
    }
    for key, value in kafka.settings(9092, 9093, "data").items():
        assert key in given, f"{key} is not set, and any KAFKA_ variable takes the image's own settings away"
        if key not in PLACES:
            assert given[key] == str(value), key
    assert f"-Xmx{kafka.HEAP}" in given["heap.opts"]


def test_every_port_is_on_loopback_alone_and_can_be_chosen(services: Compose):
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    found = set()
    for name, ports in published.items():
        for port in ports:
            given = re.fullmatch(rf"127\.0\.0\.1:\$\{{NOTES_({name.upper()}(?:_OPS)?)_PORT:-\d+\}}:\d+", port)
            assert given is not None, port
            found.add(given[1].lower())
    assert found == set(docker.PORTS)


def test_kafka_is_advertised_where_it_is_published(services: Compose):
    outside = services["kafka"]["ports"][0].rpartition(":")[0]
    assert f"OUTSIDE://{outside}" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")


@pytest.mark.parametrize("name", [*SETTINGS, *STEPS])
def test_a_service_is_given_settings_that_it_has(services: Compose, name: str):
    known = {f"NOTES_{field.upper()}" for field in SETTINGS[STEPS.get(name, name)].model_fields}
    given = services[name]["environment"]
    traces = {setting for setting, value in given.items() if setting.startswith("OTEL_") and value is None}
    assert set(given) - traces <= known
    assert bool(traces) == (name in SIDES), "set by whoever starts it, or not at all"


def test_the_page_may_ask_the_services_where_it_looks_for_them(services: Compose):
    page = services["web"]["environment"]
    for side in SIDES:
        published = services[side]["ports"][0].rpartition(":")[0]
        assert page[f"NOTES_WEB_{side.upper()}_URL"] == f"http://{published}"
        origins = services[side]["environment"]["NOTES_CORS_ORIGINS"].split(",")
        assert f"http://{services['web']['ports'][0].rpartition(':')[0]}" in origins


def test_what_stays_up_is_watched_and_what_ends_is_not(services: Compose):
    for name, service in services.items():
        ends = name in STEPS
        assert service["restart"] == ("no" if ends else "unless-stopped"), name
        assert service["healthcheck"].get("disable", False) == ends, name
        assert "start_interval" not in service["healthcheck"], "engines before 25 refuse it"


def test_nothing_starts_before_what_it_needs(services: Compose):
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if needed in STEPS else "service_healthy"
            assert how == {"condition": wanted}, needed


@pytest.mark.parametrize("side", SIDES)
def test_each_side_runs_without_the_other(services: Compose, side: str):
    alone = read(f"{side}-service/deploy/compose.yml")
    other = SIDES[1 - SIDES.index(side)]
    assert other not in alone["services"]
    assert all(step not in alone["services"] for step, owner in STEPS.items() if owner == other)
    for name, service in alone["services"].items():
        assert service == {"extends": {"file": "../../docker-compose.yml", "service": name}}
        assert set(services[name].get("depends_on", {})) <= set(alone["services"])
        volumes = {volume.partition(":")[0] for volume in services[name].get("volumes", [])}
        assert volumes <= set(alone["volumes"])


def test_the_addresses_for_a_shell_are_those_that_are_published():
    ports = {name: 20_000 + number for number, name in enumerate(docker.PORTS)}
    given = {f"NOTES_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    for environment, wanted in (({}, PUBLISHED), (given, ports)):
        shell = ["sh", "-c", "set -a; . ./compose.env; env"]
        told = subprocess.run(shell, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True).stdout
        for line in shell_lines(docker.addresses(wanted)).splitlines():
            assert line in told.splitlines()
