"""The digest of a command: lets a sender who reused a command id see that another command was decided."""

from hashlib import sha256

from pydantic_core import to_json

from notes_contracts.commands import Command
from notes_contracts.messages import type_of


def digest_of(command: Command) -> str:
    """Return the SHA-256, in hex, of `ce_type`, a NUL byte and the validated data as JSON.

    The JSON has defaults filled in, keys sorted, no spaces, and is UTF-8 without escaping.
    """
    data = dict(sorted(command.__dict__.items()))
    return sha256(type_of(command).encode() + b"\0" + to_json(data)).hexdigest()
