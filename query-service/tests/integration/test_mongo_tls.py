"""MongoDB over TLS with a password, as its URL says; what is not to be trusted is said, and no secret with it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from pymongo import MongoClient
from query_support.fixtures import Running, Settings

from notes_query.errors import StoreUnavailable
from notes_query.mongo.database import Database
from tests.harness.certificates import certificates
from tests.harness.waiting import eventually
from tools.stack import mongo, native
from tools.stack.folder import Folder
from tools.stack.process import Launch

SECRET = "s3cr3t"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def closed_mongo(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[str]:
    """Give host and port of a server that only speaks TLS, with a user in the database `notes`."""
    folder = Folder(tmp_path_factory.mktemp("closed-mongo"))
    tls = ["--tlsMode", "preferTLS", "--tlsCertificateKeyFile", str(files / "server.pem")]
    tls += ["--tlsCAFile", str(files / "ca.pem"), "--tlsAllowConnectionsWithoutCertificates"]

    class WithTls(mongo.Mongo):
        def prepare(self, *args: Any) -> Launch:
            launch = super().prepare(*args)
            return replace(launch, argv=[*launch.argv, *tls])

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(native.SERVERS, "mongo", WithTls)
            url = native.start_servers(folder, ["mongo"], fast=True)["mongo"]
        with MongoClient[dict[str, Any]](url) as client:
            client["notes"].command("createUser", "notes", pwd=SECRET, roles=["readWrite"])
            client.admin.command("setParameter", 1, tlsMode="requireTLS")
        yield urlsplit(url).netloc
    finally:
        native.stop_servers(folder, at_once=True)


def address(server: str, files: Path, **query: str) -> str:
    host = query.pop("host", "127.0.0.1")
    paths = {key: str(files / value) if key == "tlsCAFile" else value for key, value in query.items()}
    return f"mongodb://notes:{SECRET}@{host}:{server.rpartition(':')[2]}/notes?{urlencode(paths)}"


async def test_a_url_with_tls_and_a_password_works(closed_mongo: str, files: Path) -> None:
    database = Database(address(closed_mongo, files, replicaSet="rs0", tls="true", tlsCAFile="ca.pem"), timeout_s=5)
    try:
        await database.ping()
        await database["found"].insert_one({"_id": 1})
        assert await database["found"].find_one() == {"_id": 1}
        await database["found"].drop()
    finally:
        await database.close()


BAD = [
    ({"tls": "true", "tlsCAFile": "stranger.pem"}, "certificate verify failed: self-signed certificate"),
    ({"host": "localhost", "tls": "true", "tlsCAFile": "ca.pem"}, "certificate verify failed: Hostname mismatch"),
    ({}, "ServerSelectionTimeoutError"),
]


@pytest.mark.parametrize(("query", "said"), BAD)
async def test_what_is_not_to_be_trusted_is_said(
    closed_mongo: str, files: Path, query: dict[str, str], said: str
) -> None:
    database = Database(address(closed_mongo, files, directConnection="true", **query), timeout_s=2)
    with pytest.raises(StoreUnavailable) as error:
        await database.ping()
    await database.close()
    assert said in str(error.value)
    assert SECRET not in str(error.value)
    assert "127.0.0.1" not in str(error.value)


async def test_readiness_and_log_say_why_and_hold_no_secret(
    *, closed_mongo: str, files: Path, settings: Settings, running: Running, capfd: pytest.CaptureFixture[str]
) -> None:
    url = address(closed_mongo, files, directConnection="true", tls="true", tlsCAFile="stranger.pem")
    changed = settings.model_copy(update={"mongo": url, "query_mongo_timeout_s": 1})
    async with running(changed) as client:

        async def is_said() -> bool:
            answer = await client.get("/readyz")
            part = answer.json()["parts"]["mongo"]
            assert SECRET not in answer.text
            return answer.status_code == 503 and "certificate verify failed" in part.get("reason", "")

        await eventually(is_said)
    logged = "".join(capfd.readouterr())
    assert SECRET not in logged
    assert "certificate verify failed" in logged
