"""`verify`: recompute documents from the events."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from notes_query.console.arguments import chosen
from notes_query.console.table import as_table, cut, print_json
from notes_query.errors import Refused
from notes_query.projections.shape import Shape
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import Build
from notes_query.rebuilding.verify import Difference, Report, Verify

COLUMNS: Final = ("shape", "document", "field", "stored", "expected")
WIDTH: Final = 40


def add(commands: Any) -> None:
    """Add the command's grammar."""
    parser = commands.add_parser("verify", help="recompute documents from the events, and report every difference")
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help="these only (all)")
    parser.add_argument("--generation", type=int, help="of this generation instead of the one that is served")
    parser.add_argument("--repair", action="store_true", help="replace what differs")
    parser.add_argument("--json", action="store_true", help="for programs")


async def run(
    arguments: argparse.Namespace, generations: BuildStore, verify: Verify, shapes: Mapping[str, Shape]
) -> int:
    """Verify; return the exit code: 1 if something differs or is stopped. Raises StoreUnavailable, TopicUnavailable."""
    try:
        names = chosen(arguments.shapes, list(shapes))
        wanted = [(shapes[name], await _generation(generations, name, arguments.generation)) for name in names]
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    started = time.monotonic()
    reports = {
        shape.name: await verify(shape, generation, repair=arguments.repair)
        for shape, generation in wanted
        if generation is not None
    }
    elapsed = time.monotonic() - started
    if arguments.json:
        print_json({name: _as_json(report) for name, report in reports.items()})
    else:
        _print(reports, elapsed)
    return 1 if any(report.differences or report.stopped for report in reports.values()) else 0


async def _generation(generations: BuildStore, shape: str, number: int | None) -> Build | None:
    """Return the generation to verify; none if another was asked for that has not this shape."""
    if number is None:
        pointer = (await generations.pointers()).get(shape)
        if pointer is None:
            raise Refused(f"{shape} is not served yet")
        number = pointer.generation
        return next(one for one in await generations.all() if one.number == number)
    return next(
        (
            one
            for one in await generations.all()
            if one.number == number and shape in one.shapes and one.state != "dropped"
        ),
        None,
    )


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "documents": report.documents,
        "events": report.events,
        "differences": [one._asdict() for one in report.differences],
        "unverifiable": report.unverifiable,
        "stopped": report.stopped,
        "repaired": report.repaired,
    }


def _print(reports: Mapping[str, Report], elapsed: float) -> None:
    differences = [one for report in reports.values() for one in report.differences]
    if differences:
        print(as_table(COLUMNS, [_row(one) for one in differences]))
    for name, report in reports.items():
        print(
            f"{name}: {report.documents} documents, {report.events} events, {len(report.differences)} differences, "
            f"{len(report.unverifiable)} that cannot be verified, {len(report.stopped)} stopped, "
            f"{report.repaired} repaired"
        )
        if report.unverifiable:
            print(f"  not to be verified (their first events are gone): {', '.join(report.unverifiable[:20])}")
        if report.stopped:
            print(f"  stopped, since the topic has two histories of them (forks): {', '.join(report.stopped[:20])}")
    events = sum(report.events for report in reports.values())
    print(f"{events / elapsed if elapsed else 0:.0f} events/s")


def _row(one: Difference) -> Sequence[object]:
    if one.field is None:
        return (
            one.shape,
            one.id,
            None,
            "nothing" if one.stored is None else "a document",
            ("nothing: no event made it" if one.expected is None else "a document"),
        )
    return one.shape, one.id, one.field, cut(repr(one.stored), WIDTH), cut(repr(one.expected), WIDTH)
