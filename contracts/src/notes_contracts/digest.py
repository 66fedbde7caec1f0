"""The digest of a command: lets a sender who reused a command id see that another command was decided."""

from hashlib import sha256
from typing import Final

from pydantic_core import to_json

from notes_contracts.commands import Command
from notes_contracts.messages import COMMANDS

_BEGINS: Final = {model: name.encode() + b"\0" for name, model in COMMANDS.items()}
_FIELDS: Final = {model: sorted(model.model_fields) for model in COMMANDS.values()}


def digest_of(command: Command) -> str:
    """Return the SHA-256, in hex, of `ce_type`, a NUL byte and the validated data as JSON.

    The JSON has defaults filled in, keys sorted, no spaces, and is UTF-8 without escaping.
    """
    model, values = type(command), command.__dict__
    return sha256(_BEGINS[model] + to_json({name: values[name] for name in _FIELDS[model]})).hexdigest()
