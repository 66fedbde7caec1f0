"""The read models. A new one is one file here and one line in the table.

Outcomes are kept apart: their topic is kept for days only, so they cannot be built anew from it.
"""

from types import MappingProxyType
from typing import Final

from notes_query.projections import history, note, search
from notes_query.projections.read_model import ReadModel

_ALL: Final = (note.READ_MODEL, search.READ_MODEL, history.READ_MODEL)

READ_MODELS: Final = MappingProxyType[str, ReadModel]({read_model.name: read_model for read_model in _ALL})

if len(READ_MODELS) != len(_ALL):
    raise ImportError("two read models have the same name")
