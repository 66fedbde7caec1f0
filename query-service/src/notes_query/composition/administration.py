"""Administration over HTTP: what the command line does, in this process. Commands themselves need no FastAPI."""

from fastapi import APIRouter

from notes_chassis.http.body import Intake
from notes_query.composition.repair_commands import forks_of, redrive_of
from notes_query.composition.shared import Shared, now
from notes_query.repairing.dead_letter_routes import dead_letter_routes
from notes_query.repairing.gap_routes import gap_routes
from notes_query.repairing.gaps import Gaps
from notes_query.repairing.missing_versions import MissingVersions


def admin_routers(shared: Shared) -> list[APIRouter]:
    """Return the routes."""
    intake = Intake(shared.settings)
    return [
        dead_letter_routes(shared.dead_letters, lambda: redrive_of(shared), intake, now),
        gap_routes(Gaps(shared.database, shared.served), lambda: forks_of(shared), MissingVersions(shared.database)),
    ]
