"""What strangers send takes time in proportion to its length, whoever reads it: no pattern tries the same text again.

Whatever takes the square of it needs seconds for what the limits let in.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from time import thread_time
from typing import Any, Final

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request

from notes_chassis.access.guard import bearer_token
from notes_chassis.access.tokens import TOKEN_BYTES, InvalidToken, _header
from notes_chassis.http.answers import accepts_gzip
from notes_chassis.http.body import check_media_type
from notes_chassis.http.problems import Refusal
from notes_chassis.http.queries import QueryModel, query_of
from notes_command.gateway.app import SCOPES as COMMAND_SCOPES
from notes_command.gateway.commands import _command_id, _trace
from notes_command.gateway.outcomes import preferred_wait
from notes_contracts import parse_id
from notes_contracts.authcontext import valid_auth
from notes_contracts.cloudevents import read, valid_trace
from notes_contracts.fields import normalise_tag
from notes_contracts.slips import missing
from notes_query.composition.http_app import SCOPES as QUERY_SCOPES
from notes_query.errors import InvalidCursor
from notes_query.http.query_route import matches
from notes_query.live import position
from notes_query.reads import cursor
from notes_query.reads.list_notes import ListQuery
from notes_query.reads.search_notes import Q_MAX
from notes_query.reads.words import pattern_of, snippet_of, terms_of, words_of

AT_MOST_S: Final = 0.1
"""Of the processor: ten times what a good one takes. A square of this length took 0.9 s, and 14 s of 32 KiB."""
LENGTH: Final = 8 * 1024
PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REFUSED: Final = (InvalidCursor, InvalidToken, Refusal, ValueError)

UNITS: Final = (
    '"', '\\"', '"\\', "\\", 'W/"', 'W/"x', '"a", ', "W/", ",", ", ", " ,", "; ", ";", "=", "a=", "a=b,", "wait=",
    ",wait=1 ", " ", "\t", "\n", "/", "+", "+json", "a/+json", "a/", "-", "--", "_", ".", "a", "a.", "A", "1", "9,",
    "0-", "%", "%41", "&", "&a", "a=1&", "id=x&", "*", "é", "的", "ก", "\u0301", "\u0323\u0301", "\U0001f1e9", "\u200d",
    "\u1161", "gzip,", "q=1;", "<", "(",
)  # fmt: skip
"""What hostile texts are made of; each is repeated."""
BEFORE: Final = ("", '"', "application/", "a=")
BEHIND: Final = ("", "\\", "!")
TEXTS: Final = [
    before + unit * ((LENGTH - len(before) - len(behind)) // len(unit)) + behind
    for before in BEFORE
    for unit in UNITS
    for behind in BEHIND
]


def request(query: str = "", **headers: str) -> Request:
    found = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": found})


def models(of: type[QueryModel] = QueryModel) -> Iterator[type[QueryModel]]:
    for model in of.__subclasses__():
        if model.__module__.startswith("notes_"):
            yield model
        yield from models(model)


def query_reader(name: str, model: type[QueryModel]) -> Callable[[str], Any]:
    return lambda text: query_of(request(f"{name}={text}"), model)


def searched(text: str) -> None:
    words = words_of(text[:Q_MAX])
    terms_of(words)
    pattern_of(words)
    snippet_of({"title": "t", "body": text}, words, 100_000)


READERS: Final[dict[str, Callable[[str], Any]]] = {
    "Prefer": preferred_wait,
    "Idempotency-Key": lambda text: _command_id([text]),
    "traceparent": lambda text: valid_trace(PARENT + text, None),
    "tracestate": lambda text: _trace(Headers({"traceparent": PARENT, "tracestate": text})),
    "If-None-Match": lambda text: matches([text], '"3"'),
    "Last-Event-ID": position.decode,
    "cursor of a list": lambda text: cursor.decode(text, b"123456"),
    "cursor of a search": lambda text: cursor.decode_rank(text, b"123456"),
    "Accept-Encoding": lambda text: accepts_gzip([text]),
    "Content-Type": lambda text: check_media_type(request(content_type=text)),
    "Authorization": lambda text: bearer_token([(b"authorization", text.encode())]),
    "token": lambda text: _header(text.encode()[:TOKEN_BYTES]),
    "path of command-service": lambda text: COMMAND_SCOPES.needed(f"/commands/{text}"),
    "path of query-service": lambda text: QUERY_SCOPES.needed(f"/notes/{text}"),
    "query of a list": lambda text: query_of(request(text), ListQuery),
    **{
        f"{model.__module__}.{model.__name__}: {name}": query_reader(field.alias or name, model)
        for model in models()
        for name, field in model.model_fields.items()
    },
    "words": searched,
    "id": parse_id,
    "tag": normalise_tag,
    "ce_authtype": lambda text: valid_auth(text, "anna"),
    "ce_authid": lambda text: valid_auth("user", text),
    "ce_id": lambda text: read([("ce_id", text.encode()), ("content-type", text.encode())], b"{}"),
    "names of headers": lambda text: missing("id", [(text[:32] + str(number), b"") for number in range(1_000)], b""),
}


@pytest.mark.parametrize("reader", READERS)
def test_what_takes_the_square_of_a_length_would_take_seconds(reader: str) -> None:
    read_it = READERS[reader]
    slow: list[tuple[float, str]] = []
    for text in TEXTS:
        began = thread_time()
        with suppress(*REFUSED):
            read_it(text)
        if (taken := thread_time() - began) > AT_MOST_S:
            slow.append((taken, text[:40]))
    assert slow == []
