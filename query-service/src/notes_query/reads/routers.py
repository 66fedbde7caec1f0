"""The queries: what reads the documents, and the routes in front of it."""

import httpx
from fastapi import APIRouter

from notes_chassis.http.places import Places
from notes_query.mongo.database import Database
from notes_query.projecting.ports import OutcomeStore
from notes_query.projecting.serving import Serving
from notes_query.projecting.waiters import Waiters
from notes_query.reads.command_routes import command_routes
from notes_query.reads.get_body import GetBody
from notes_query.reads.get_command import GetCommand
from notes_query.reads.get_note import GetNote
from notes_query.reads.history_reader import MongoHistoryReader
from notes_query.reads.history_routes import history_routes
from notes_query.reads.lag_header import LagSeconds
from notes_query.reads.list_notes import ListNotes
from notes_query.reads.list_routes import list_routes
from notes_query.reads.many_notes_reader import MongoManyNotes
from notes_query.reads.note_reader import MongoNoteReader
from notes_query.reads.note_routes import note_routes
from notes_query.reads.read_concurrently import ReadTogether
from notes_query.reads.read_history import ReadHistory
from notes_query.reads.search_notes import SearchNotes
from notes_query.reads.search_reader import MongoSearching
from notes_query.reads.share import Share
from notes_query.reads.write_store import HttpWriteStore
from notes_query.settings import Settings


def read_routers(
    settings: Settings,
    database: Database,
    serving: Serving,
    outcomes: OutcomeStore,
    *,
    note_waiters: Waiters,
    outcome_waiters: Waiters,
    core_lag: LagSeconds,
    side_lag: LagSeconds,
    command_service: httpx.AsyncClient | None,
) -> list[APIRouter]:
    """Return the routers of all reads, in the order in which the app has to include them, after every other router.

    `command_service`: the client to read stale notes with, whose owner closes it; null: nobody is asked.
    """
    timeout_s = settings.query_write_store_timeout_s
    write_store = None if command_service is None else HttpWriteStore(command_service, timeout_s)
    reader = MongoNoteReader(
        database, serving, Share("lists", settings.query_lists_at_once, settings.query_mongo_timeout_s)
    )
    get_note = GetNote(reader, note_waiters, write_store, ReadTogether(MongoManyNotes(database, serving)))
    history = ReadHistory(get_note, MongoHistoryReader(database, serving))
    searches = Share("searches", settings.query_searches_at_once, settings.query_search_timeout_s)
    search = SearchNotes(MongoSearching(database, serving, searches))
    places = Places(settings.http_waiting)
    return [
        command_routes(GetCommand(outcomes, outcome_waiters), places),
        list_routes(ListNotes(reader), search, reader, core_lag, side_lag),
        history_routes(history, side_lag),
        note_routes(get_note, GetBody(reader), places),
    ]
