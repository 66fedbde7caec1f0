"""The read shapes. A new one is one file here and one line in the table."""

from types import MappingProxyType
from typing import Final

from notes_query.projections import note, outcome
from notes_query.projections.shape import Shape

SHAPES: Final = MappingProxyType[str, Shape](
    {
        "notes": note.SHAPE,
        "outcomes": outcome.SHAPE,
    }
)
