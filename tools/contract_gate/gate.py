"""All rules of the gate, one after the other."""

from tools.contract_gate.http import http_breaks
from tools.contract_gate.messages import asyncapi_breaks, golden_breaks, message_breaks
from tools.contract_gate.release import Release


def breaks(old: Release, new: Release) -> list[str]:
    """Return a sentence for each thing of `old`, a release, that `new` breaks."""
    return [*message_breaks(old, new), *golden_breaks(old), *asyncapi_breaks(old, new), *http_breaks(old, new)]
