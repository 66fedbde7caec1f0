"""Who asked, by the CloudEvents extension for an auth context. An invalid value counts as absent."""

import re
from typing import Final

_id: Final = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,256}").fullmatch
_type: Final = re.compile("[a-z][a-z_]{0,31}").fullmatch


def valid_auth(authtype: str | None, authid: str | None) -> tuple[str | None, str | None]:
    """Return both values; None for one that is invalid.

    `authid` is a text of 1 to 256 characters on one line, `authtype` a word such as `user` or `service_account`.
    """
    return (
        authtype if authtype is not None and _type(authtype) else None,
        authid if authid is not None and _id(authid) else None,
    )
