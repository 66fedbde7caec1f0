"""The table of queries: one line each, its handler and its route."""

from collections.abc import Mapping

import httpx
from fastapi import APIRouter

from notes_query.http.query_route import LagSeconds
from notes_query.mongo.database import Database
from notes_query.projecting.record_outcomes import OutcomeStore
from notes_query.projecting.waiters import COMMANDS, Waiters
from notes_query.projections.read_model import ProjectorName, Serving
from notes_query.reads.after import Stored, after_command
from notes_query.reads.count_tags import CountTags, tags_route
from notes_query.reads.get_body import GetBody, body_route
from notes_query.reads.get_command import command_route
from notes_query.reads.get_note import GetNote, note_route
from notes_query.reads.list_notes import ListNotes, list_route
from notes_query.reads.read_history import ReadHistory, history_route
from notes_query.reads.search_notes import SearchNotes, search_route
from notes_query.reads.served import NoteReader
from notes_query.reads.share import Shares
from notes_query.reads.write_store import WriteStore
from notes_query.settings import Settings


def read_routers(
    settings: Settings,
    database: Database,
    serving: Serving,
    outcomes: OutcomeStore,
    *,
    waiters: Mapping[str, Waiters],
    lag: Mapping[ProjectorName, LagSeconds],
    command_service: httpx.AsyncClient | None,
) -> list[APIRouter]:
    """Return the routers of all reads, in the order in which the app has to include them, after `/notes/changes`.

    The first route that fits answers, and each before it costs a request a look: what is asked for most comes first.

    `waiters`: by read model, and COMMANDS for outcomes.
    `command_service`: the client to read stale notes with, whose owner closes it; None: nobody is asked.
    """
    timeout_s = settings.query_write_store_timeout_s
    write_store = None if command_service is None else WriteStore(command_service, timeout_s)
    at_once, searches_at_once = settings.query_lists_at_once, settings.query_searches_at_once
    limit_s, search_limit_s = settings.query_mongo_timeout_s, settings.query_search_timeout_s
    lists = Shares(database, serving, "lists", at_once, limit_s, waiting=settings.http_waiting)
    searches = Shares(database, serving, "searches", searches_at_once, search_limit_s, waiting=settings.http_waiting)
    reader = NoteReader(database, serving)
    get_note = GetNote(reader, waiters["notes"], write_store)
    stored_outcomes = Stored(waiters[COMMANDS], outcomes.many, database.timeout_s)
    after = after_command(database, serving, stored_outcomes, waiters)
    return [
        search_route(SearchNotes(searches), lag["background"], after),
        note_route(get_note, after),
        list_route(ListNotes(lists), lag["notes"], after),
        tags_route(CountTags(lists), lag["notes"], after),
        history_route(ReadHistory(get_note, database, serving), lag["background"], after),
        body_route(GetBody(reader, waiters["notes"]), after),
        command_route(stored_outcomes),
    ]
