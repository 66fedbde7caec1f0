"""docker-compose.secure.yml closes everything that docker-compose.yml leaves open, and commits no secret."""

import json
import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from cryptography import x509

from notes_chassis.access.key_set import read_key_set
from notes_chassis.postgres_url import connect_arguments
from notes_command.settings import Settings as CommandSettings
from notes_contracts.topics import TOPICS
from notes_query.settings import Settings as QuerySettings
from tools import compose_secrets
from tools.stack.kafka_users import GROUP, SERVICES, TOPIC, Right, rights

REPOSITORY = Path(__file__).parents[2]
OURS = ("topics-command", "migrate", "command", "topics-query", "query")
Compose = dict[str, Any]


class Merging(yaml.SafeLoader):
    """Reads Compose's own tag, which says that a value takes the place of the first file's."""


Merging.add_constructor("!override", lambda loader, node: loader.construct_mapping(node, deep=True))


@pytest.fixture(scope="module")
def closed() -> Compose:
    text = (REPOSITORY / "docker-compose.secure.yml").read_text()
    found: Compose = yaml.load(text, Merging)["services"]
    return found


@pytest.fixture(scope="module")
def opened() -> Compose:
    found: Compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    compose_secrets.make(folder)
    return folder


def test_every_service_is_closed(closed: Compose, opened: Compose):
    assert set(opened) <= set(closed)
    for name in OURS:
        environment = closed[name]["environment"]
        assert environment["NOTES_AUTH"] == "oidc"
        assert environment["NOTES_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
        assert not {"NOTES_POSTGRES", "NOTES_MONGO"} & environment.keys(), "an address with a password is a file"
        assert environment["NOTES_CORS_ORIGINS"] == opened["command"]["environment"]["NOTES_CORS_ORIGINS"]
    assert {"NOTES_AUTH", "NOTES_OIDC_ISSUER", "NOTES_WEB_CLIENT_ID"} == closed["web"]["environment"].keys()
    assert closed["web"]["environment"]["NOTES_AUTH"] == "oidc"
    client = {"NOTES_QUERY_CLIENT_ID", "NOTES_QUERY_CLIENT_SECRET"}
    assert client <= closed["query"]["environment"].keys(), "who asks for snapshots needs a token"
    assert not any("ports" in service for service in closed.values()), "docker-compose.yml publishes, on loopback"


@pytest.mark.parametrize("name", ["postgres", "mongo"])
def test_a_server_keeps_the_options_it_has_when_open(closed: Compose, opened: Compose, name: str):
    before = " ".join(opened[name]["command"]).replace("-c ", "-c").split()
    after = closed[name]["command"]
    assert [option for option in before if option not in after] == [], "a list of the second file replaces the first's"


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_given_settings_that_it_has(closed: Compose, name: str):
    settings = QuerySettings if "query" in name else CommandSettings
    known = {f"NOTES_{field.upper()}" for field in settings.model_fields}
    given = {
        key for key, value in closed[name]["environment"].items() if not (key.startswith("OTEL_") and value is None)
    }
    assert {key.removesuffix("_FILE") if key not in known else key for key in given} <= known


def test_only_the_step_that_hands_out_files_is_root(closed: Compose, opened: Compose):
    for name, service in closed.items():
        assert (service.get("user") == "0:0") == (name == "secrets")
        if name not in opened:
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
    assert closed["secrets"]["network_mode"] == "none"
    for name in ("command", "query"):
        assert opened[name]["read_only"] is True
        dockerfile = (REPOSITORY / f"{name}-service/deploy/Dockerfile").read_text()
        assert f"USER {compose_secrets.OWNERS[name]}:" in dockerfile


def test_each_container_has_its_own_secrets_and_cannot_change_them(closed: Compose):
    for name, service in closed.items():
        if name == "secrets":
            continue
        mounts = [volume.split(":") for volume in service.get("volumes", [])]
        assert all(how == ["ro"] for _, _, *how in mounts), name
        folders = {source for source, *_ in mounts if not source.startswith(".")}
        owner = {"migrate": "command", "kafka-users": "kafka", "topics-command": "topics", "topics-query": "topics"}
        own = {"token": {"keys"}, "web": set()}.get(name, {f"{owner.get(name, name)}-secrets"})
        assert folders == own


def test_what_is_mounted_is_made(closed: Compose, made: Path):
    made_files = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    for name, service in closed.items():
        folders = {volume.split(":")[0].removesuffix("-secrets") for volume in service.get("volumes", [])}
        named = set(re.findall(r"/run/notes/([a-z._-]+)", json.dumps(service)))
        for folder in folders - {"./tools/compose_secrets.py"} if name != "secrets" else ():
            assert {f"{folder}/{file}" for file in named} <= made_files, name


def test_the_broker_knows_every_topic(closed: Compose):
    said = closed["kafka-users"]["command"][0]
    assert set(re.findall(r"notes\.[a-z.-]*[a-z]", said)) == {topic.name for topic in TOPICS}


def test_a_service_may_do_on_the_broker_what_the_page_says_and_no_more(closed: Compose):
    script = closed["kafka-users"]["command"][0]
    (look,) = re.findall(r'^look="(.*)"$', script, re.MULTILINE)
    given = set[Right]()
    for line in script.replace("$$look", look).replace("\\\n", "").splitlines():
        if found := re.fullmatch(r"allow (command|query) (.*)", line.strip()):
            words = found[2].split()
            options = [*zip(words[::2], words[1::2], strict=True)]
            operations = tuple(value for name, value in options if name == "--operation")
            prefixed = ("--resource-pattern-type", "prefixed") in options
            for option, kind in (("--topic", TOPIC), ("--group", GROUP)):
                names = [value for name, value in options if name == option]
                given |= {Right(SERVICES[found[1]], kind, name, prefixed, operations) for name in names}
    assert given == {right for right in rights() if right.principal in SERVICES.values()}


def test_files_are_for_their_user_alone_and_stay_as_they_are(made: Path):
    files = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o400}
    compose_secrets.make(made)
    assert {path: path.read_bytes() for path in made.rglob("*") if path.is_file()} == files
    passwords = [text for path, text in files.items() if path.parent.name == "keys"]
    assert len(set(passwords)) == len(passwords)


@pytest.mark.parametrize("name", ["kafka", "postgres", "mongo"])
def test_a_server_proves_its_name_and_no_other(made: Path, name: str):
    there, here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=made / "query/ca.crt")
    there.load_cert_chain(made / f"{name}/server.pem")
    for called, well in ((name, True), ("127.0.0.1", True), ("elsewhere", False)):
        said = shake_hands(there, here, called)
        assert (said is None) is well, said


def shake_hands(there: ssl.SSLContext, here: ssl.SSLContext, name: str) -> str | None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = here.wrap_bio(to_client, to_server, server_hostname=name)
    server = there.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return None


def test_a_server_is_believed_as_long_as_its_authority(made: Path):
    """Servers read their certificate at the start alone: one that ended before would be renewed for nobody."""
    for name in ("kafka", "postgres", "mongo"):
        server, authority = x509.load_pem_x509_certificates((made / f"{name}/server.pem").read_bytes())
        assert server.not_valid_after_utc == authority.not_valid_after_utc
        assert server.not_valid_after_utc > datetime.now(UTC) + timedelta(days=3600)


def test_the_services_believe_a_token_that_is_signed_here(made: Path):
    token = compose_secrets.token(made / "keys/signing.pem", "notes.read", "anna", 60)
    header, keys = jwt.get_unverified_header(token), read_key_set((made / "query/jwks.json").read_bytes())
    key = keys.key(header["kid"], header["alg"])
    assert key is not None
    claims = jwt.decode(token, key.public, ["ES256"], audience="notes", issuer=compose_secrets.ISSUER)
    assert (claims["sub"], claims["scope"]) == ("anna", "notes.read")


def test_the_addresses_are_checked_as_the_drivers_will(made: Path):
    url = (made / "command/postgres").read_text().replace("/run/notes", str(made / "command"))
    assert "verify-full" in connect_arguments(url)["dsn"]
    assert (made / "postgres/pg_hba.conf").read_text().split().count("hostssl") == 1
    assert "tls=true&tlsCAFile=/run/notes/ca.crt" in (made / "query/mongo").read_text()
