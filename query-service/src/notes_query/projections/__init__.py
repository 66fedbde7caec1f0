"""The read shapes. A new one is one file here and one line in the table.

Outcomes are kept apart: their topic is kept for days only, so they cannot be built anew from it.
"""

from types import MappingProxyType
from typing import Final

from notes_query.projections import history, note, search
from notes_query.projections.shape import Shape

_ALL: Final = (note.SHAPE, search.SHAPE, history.SHAPE)

SHAPES: Final = MappingProxyType[str, Shape]({shape.name: shape for shape in _ALL})

if len(SHAPES) != len(_ALL):
    raise ImportError("two read shapes have the same name")
