"""`verify`: recompute documents from the events."""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from notes_chassis.terminal import complain, print_json, shortened, table
from notes_query.commands.stores import chosen, on_stores
from notes_query.composition.shared import Shared
from notes_query.errors import Refused
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import Build
from notes_query.rebuilding.stored_documents import StoredDocuments
from notes_query.rebuilding.verify import Difference, Report, Verify

COLUMNS: Final = ("read model", "document", "field", "stored", "expected")
WIDTH: Final = 40


def add(commands: Any) -> None:
    """Add the command's grammar."""
    parser = commands.add_parser("verify", help="recompute documents from the events, and report every difference")
    parser.add_argument("read_models", nargs="*", metavar="READ_MODEL", help="these only (all)")
    parser.add_argument("--build", type=int, help="of this build instead of the one that is served")
    parser.add_argument("--repair", action="store_true", help="replace what differs")
    parser.add_argument("--json", action="store_true", help="for programs")


@on_stores
async def verify(arguments: argparse.Namespace, shared: Shared) -> int:
    """Verify; return the exit code: 1 if something differs or is stopped, 2 if it cannot be verified.

    Raises StoreUnavailable, TopicUnavailable.
    """
    try:
        names = chosen(arguments.read_models, list(shared.read_models))
        wanted = await wanted_builds(shared.builds, [shared.read_models[name] for name in names], arguments)
    except Refused as error:
        complain(f"refused: {error}")
        return 2
    one, started = make_verify(shared), time.monotonic()
    reports = {
        name: await one(shared.read_models[name], build, repair=arguments.repair) for name, build in wanted.items()
    }
    elapsed = time.monotonic() - started
    if arguments.json:
        print_json({name: _as_json(report) for name, report in reports.items()})
    else:
        _print(reports, elapsed)
    return 1 if any(report.differences or report.stopped for report in reports.values()) else 0


def make_verify(shared: Shared) -> Verify:
    """Return what verifies a read model."""
    return Verify(shared.topic, StoredDocuments(shared.database))


async def wanted_builds(
    builds: BuildStore, read_models: Sequence[ReadModel], arguments: argparse.Namespace
) -> dict[str, Build]:
    """Return the build of each read model to verify. Raises Refused, StoreUnavailable.

    Of a build that is named: those that it has, where no read model is named; else all of these have to be there.
    """
    number: int | None = arguments.build
    if number is None:
        served = await builds.served()
        if missing := [one.name for one in read_models if one.name not in served]:
            raise Refused(f"{', '.join(missing)}: not served yet")
        return {one.name: served[one.name] for one in read_models}
    build = next((one for one in await builds.all() if one.number == number and one.state != "dropped"), None)
    if build is None:
        raise Refused(f"there is no build {number}")
    there = [one for one in read_models if one.name in build.versions]
    if not there or (arguments.read_models and len(there) < len(read_models)):
        missing = [one.name for one in read_models if one not in there]
        raise Refused(f"build {number} holds {build}, and not {', '.join(missing)}")
    for one in there:
        if build.versions[one.name] != one.version:
            raise Refused(
                f"build {number} holds {one.name} in version {build.versions[one.name]}, and this release has version "
                f"{one.version}: only the release that built it can verify it"
            )
    return {one.name: build for one in there}


def _as_json(report: Report) -> dict[str, Any]:
    return {**asdict(report), "differences": [one._asdict() for one in report.differences]}


def _print(reports: Mapping[str, Report], elapsed: float) -> None:
    differences = [one for report in reports.values() for one in report.differences]
    if differences:
        print(table(COLUMNS, [_row(one) for one in differences]))
    for name, report in reports.items():
        print(
            f"{name}: {report.documents} documents, {report.events} events, {len(report.differences)} differences, "
            f"{len(report.unverifiable)} that cannot be verified, {len(report.stopped)} stopped, "
            f"{report.repaired} repaired"
        )
        late = set(report.late)
        for why, ids in (
            ("their first events are gone", [one for one in report.unverifiable if one not in late]),
            ("their last events were not stored within half a minute: is this build fed?", report.late),
        ):
            if ids:
                print(f"  not to be verified ({why}): {', '.join(ids[:20])}")
        if report.stopped:
            print(f"  stopped, since the topic has two histories of them (forks): {', '.join(report.stopped[:20])}")
    events = sum(report.events for report in reports.values())
    print(f"{events / elapsed if elapsed else 0:.0f} events/s")


def _row(one: Difference) -> Sequence[object]:
    if one.field is None:
        return (
            one.read_model,
            one.id,
            None,
            "nothing" if one.stored is None else "a document",
            ("nothing: no event made it" if one.expected is None else "a document"),
        )
    return one.read_model, one.id, one.field, shortened(repr(one.stored), WIDTH), shortened(repr(one.expected), WIDTH)
