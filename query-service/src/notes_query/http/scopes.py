"""What a request needs: the one table of paths and scopes. Without a line here for each route, nothing starts."""

from typing import Final

from notes_chassis.access.scopes import Scopes

READ: Final = "notes.read"
WRITE: Final = "notes.write"
ADMIN: Final = "notes.admin"

SCOPES: Final = Scopes(
    {
        "/notes": READ,
        "/notes/search": READ,
        "/notes/changes": READ,
        "/notes/{note_id}": READ,
        "/notes/{note_id}/body": READ,
        "/notes/{note_id}/history": READ,
        "/tags": READ,
        "/commands/{command_id}": WRITE,
        "/admin/dead-letters": ADMIN,
        "/admin/dead-letters/redrive": ADMIN,
        "/admin/dead-letters/drop": ADMIN,
        "/admin/dead-letters/{dead_letter}": ADMIN,
        "/admin/gaps": ADMIN,
    }
)
