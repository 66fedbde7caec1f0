"""The brokers' addresses, as a setting gives them."""

from typing import Annotated

from pydantic import AfterValidator


def split(text: str) -> list[str]:
    """Return the addresses in `host:port,host:port`. Raises ValueError with a sentence."""
    addresses = [address.strip() for address in text.split(",")]
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536 or set(host) & set(" /@"):
            raise ValueError(f"{address!r} is not host:port; several are separated by commas")
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise ValueError(f"{address!r} is not host:port; an IPv6 address stands in brackets")
    return addresses


def _normal(text: str) -> str:
    return ",".join(split(text))


Bootstrap = Annotated[str, AfterValidator(_normal)]
"""A setting that holds brokers' addresses, separated by commas and nothing else."""
