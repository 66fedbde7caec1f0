"""Names of read shapes on the command line."""

from collections.abc import Sequence

from notes_query.errors import Refused


def chosen(named: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the shapes that are named, each once; all that are known if none is. Raises Refused for another name."""
    if unknown := sorted(set(named) - set(known)):
        raise Refused(f"there is no read shape {', '.join(unknown)}; there are {', '.join(known)}")
    return [shape for shape in known if not named or shape in named]
