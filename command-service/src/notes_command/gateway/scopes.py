"""What a request needs: the one table of paths and scopes. Without a line here for each route, nothing starts."""

from typing import Final

from notes_chassis.access.scopes import Scopes

READ: Final = "notes.read"
WRITE: Final = "notes.write"
ADMIN: Final = "notes.admin"

SCOPES: Final = Scopes(
    {
        "/commands/create-note": WRITE,
        "/commands/update-note": WRITE,
        "/commands/rename-note": WRITE,
        "/commands/tag-note": WRITE,
        "/commands/untag-note": WRITE,
        "/commands/archive-note": WRITE,
        "/commands/restore-note": WRITE,
        "/commands/delete-note": WRITE,
        "/commands/{command_id}": WRITE,
        "/commands/{name:path}": WRITE,  # names the commands that there are
        "/notes/{note_id}": READ,
        "/admin/republish": ADMIN,
        "/admin/dead-letters": ADMIN,
        "/admin/dead-letters/redrive": ADMIN,
        "/admin/dead-letters/drop": ADMIN,
        "/admin/dead-letters/{dead_letter}": ADMIN,
        "/admin/outbox": ADMIN,
        "/admin/outbox/unpark": ADMIN,
        "/admin/outbox/drop": ADMIN,
    }
)
