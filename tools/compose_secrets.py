"""Keys, certificates and passwords for docker-compose.secure.yml, and tokens: see there.

python compose_secrets.py make FOLDER: fill a folder for each container. What is there stays.
python compose_secrets.py token KEY [--scope "notes.read"] [--subject anna] [--lasts 3600]: print a token.
"""

import argparse
import json
import os
import secrets
import sys
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from uuid import uuid4

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER, AUDIENCE, KID = "https://issuer.notes.invalid", "notes", "compose"
SCOPES: Final = ("notes.read", "notes.write", "notes.admin")
KAFKA_USERS: Final = ("topics", "command", "query")
OWNERS: Final = {"keys": 0, "kafka": 1000, "postgres": 999, "mongo": 999, **dict.fromkeys(KAFKA_USERS, 10001)}
"""Who runs in the container that is given the folder: the users of the official images, and ours."""
LASTS: Final = timedelta(days=3650)
"""How long the authority is good for, and so long its servers' certificates: servers read theirs at the start alone."""
HBA: Final = "local all all scram-sha-256\nhostssl all all all scram-sha-256\n"


class Folders:
    """The folders below one root, one a container. Nobody but its user may read a file."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> str | None:
        """Return what a file says, None if it is not there."""
        file = self._root / path
        return file.read_text() if file.exists() else None

    def write(self, path: str, text: str, owner: int | None = None) -> str:
        """Write a file whole; return what it says."""
        file = self._root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as opened:
            opened.write(text)
        if os.geteuid() == 0:
            user = OWNERS[path.partition("/")[0]] if owner is None else owner
            os.chown(new, user, user)
        new.replace(file)
        return text

    def password(self, name: str) -> str:
        """Return the password of that name, made if it is new."""
        return self.read(f"keys/{name}") or self.write(f"keys/{name}", secrets.token_urlsafe(24))


def make(root: Path) -> None:
    """Fill the folders. Passwords, keys and certificates that are there stay."""
    folders = Folders(root)
    authority = folders.read("keys/ca.pem") or folders.write("keys/ca.pem", new_authority())
    public = authority[authority.index("-----BEGIN CERTIFICATE") :]
    for name in OWNERS.keys() - {"keys"}:
        folders.write(f"{name}/ca.crt", public)
    for name in ("kafka", "postgres", "mongo"):
        if folders.read(f"{name}/server.pem") is None:
            folders.write(f"{name}/server.pem", new_certificate(authority, name, "localhost", "127.0.0.1"))

    for name in KAFKA_USERS:
        password = folders.password(f"kafka-{name}")
        folders.write(f"kafka/{name}.scram", f"SCRAM-SHA-512=iterations=8192,password={password}\n")
        folders.write(f"{name}/kafka", password)

    password = folders.password("postgres-notes")
    folders.write("postgres/admin-password", folders.password("postgres-admin"))
    folders.write("postgres/pg_hba.conf", HBA)
    made = f"CREATE ROLE notes LOGIN PASSWORD '{password}';\nCREATE DATABASE notes OWNER notes;\n"
    folders.write("postgres/notes.sql", made)
    tls = "sslmode=verify-full&sslrootcert=/run/notes/ca.crt"
    folders.write("command/postgres", f"postgresql://notes:{password}@postgres:5432/notes?{tls}")

    password = folders.password("mongo-notes")
    folders.write("mongo/admin-password", folders.password("mongo-admin"))
    folders.write("mongo/members", folders.password("mongo-members").replace("-", "+").replace("_", "/"))
    user = {"user": "notes", "pwd": password, "roles": ["readWrite"]}
    folders.write("mongo/notes.js", f'db.getSiblingDB("notes").createUser({json.dumps(user)})\n')
    tls = "replicaSet=rs0&tls=true&tlsCAFile=/run/notes/ca.crt"
    folders.write("query/mongo", f"mongodb://notes:{password}@mongo:27017/notes?{tls}")

    signing = folders.read("keys/signing.pem") or _pem(generate_private_key(SECP256R1()))
    folders.write("keys/signing.pem", signing, owner=OWNERS["command"])  # `token` runs as our user does
    keys = json.dumps({"keys": [_jwk(_key(signing))]})
    for name in KAFKA_USERS:
        folders.write(f"{name}/jwks.json", keys)


def token(key: Path, scope: str, subject: str, lasts_s: int) -> str:
    """Return a token signed with the key of that file."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "scope": scope, "iat": now, "exp": now + lasts_s}
    return jwt.encode(claims | {"jti": uuid4().hex}, key.read_text(), "ES256", {"kid": KID, "typ": "at+jwt"})


def new_authority() -> str:
    """Return key and certificate of an authority, as PEM."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Notes, this machine")])
    begun = _begun(name, name, key, datetime.now(UTC) + LASTS).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    begun = begun.add_extension(usage, critical=True)
    subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = begun.add_extension(subject, critical=False).sign(key, hashes.SHA256())
    return _pem(key) + certificate.public_bytes(Encoding.PEM).decode()


def new_certificate(authority: str, *names: str) -> str:
    """Return key and certificate, as PEM, of a server that has these names; those that are addresses are such."""
    key, signer = generate_private_key(SECP256R1()), _key(authority)
    issuer = x509.load_pem_x509_certificate(authority.encode())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    called = [x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names]
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]  # members of a replica set are both
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    certificate = (
        _begun(subject, issuer.subject, key, issuer.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(called), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(identifier, critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM)
    return _pem(key) + pem.decode()


def _begun(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(until)
    )


def _pem(key: EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _key(pem: str) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.partition("-----BEGIN CERTIFICATE")[0].encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key


def _jwk(key: EllipticCurvePrivateKey) -> dict[str, object]:
    public: dict[str, object] = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": KID, "alg": "ES256", "use": "sig"}


def main(words: list[str]) -> None:
    """Do what the words say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make").add_argument("folder", type=Path)
    one = commands.add_parser("token")
    one.add_argument("key", type=Path)
    one.add_argument("--scope", default=" ".join(SCOPES))
    one.add_argument("--subject", default="somebody")
    one.add_argument("--lasts", type=int, default=3600)
    given = parser.parse_args(words)
    if given.command == "make":
        make(given.folder)
    else:
        print(token(given.key, given.scope, given.subject, given.lasts))


if __name__ == "__main__":
    main(sys.argv[1:])
