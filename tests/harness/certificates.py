"""Certificates for a server of a test's own."""

from pathlib import Path

from tools.compose_secrets import new_authority, new_certificate


def certificates(folder: Path) -> Path:
    """Write an authority, a certificate of it for 127.0.0.1 alone, and an authority of somebody else; return where."""
    authority = new_authority()
    (folder / "server.pem").write_text(new_certificate(authority, "127.0.0.1"))
    (folder / "ca.pem").write_text(authority)
    (folder / "stranger.pem").write_text(new_authority())
    return folder
