"""What the command does, from its arguments to its exit code."""

import argparse
import asyncio
import io
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tools.markdown_import.addresses import Addresses, find_addresses
from tools.markdown_import.arguments import parser
from tools.markdown_import.bus import KafkaBus
from tools.markdown_import.discovery import find_markdown
from tools.markdown_import.display import shown
from tools.markdown_import.errors import ImportStoppedError
from tools.markdown_import.importer import Importer
from tools.markdown_import.ledger import Ledger
from tools.markdown_import.naming import default_namespace, namespace_of
from tools.markdown_import.preparation import Preparation
from tools.markdown_import.readable import ReadableTimer
from tools.markdown_import.report import Report, lines_of
from tools.markdown_import.state_file import StateFile

STATE_NAME = ".notes-import.json"
ALL_WELL, NOT_ALL, STOPPED, INTERRUPTED = 0, 1, 2, 130
_NO_URL = "the read side's address is not known (NOTES_QUERY_URL or --query-url)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Import a folder; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be anything
    given = parser().parse_args(arguments)
    report = Report(patience=given.timeout)
    try:
        _import(given, report)
    except ImportStoppedError as error:
        print(f"import_markdown: {error}", file=sys.stderr)
        return STOPPED
    except KeyboardInterrupt:
        print(
            "import_markdown: interrupted. The state file is safe: run the same command again, and what was sent "
            "already is not done twice.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return ALL_WELL if report.is_clean else NOT_ALL


def _import(given: argparse.Namespace, report: Report) -> None:
    if not given.folder.is_dir():
        raise ImportStoppedError(f"{given.folder} is not a folder.")
    found = find_markdown(given.folder)
    paths = found.paths
    report.found, report.left_out, report.unreadable = len(paths), found.left_out, found.unreadable
    addresses = find_addresses(given.query_url)
    file = (given.state or given.folder / STATE_NAME).resolve()
    namespace = namespace_of(given.namespace) if given.namespace else None
    with StateFile(file, namespace, default_namespace(given.folder)) as state:
        report.gone = len(state.entries.keys() - set(paths))
        try:
            asyncio.run(_run(given, addresses, paths, state, report))
        except BaseException:
            report.cut_short = True
            raise
        finally:
            if report.began:
                print("\n".join(lines_of(report)), flush=True)


async def _run(
    given: argparse.Namespace, addresses: Addresses, paths: list[str], state: StateFile, report: Report
) -> None:
    async with AsyncExitStack() as stack:
        bus, target = await stack.enter_async_context(KafkaBus.opened(addresses))
        state.bind(target)
        report.began = True
        timer = None
        if addresses.query_url:
            timer = ReadableTimer(addresses.query_url, report, given.timeout)
            await stack.enter_async_context(timer)
        else:
            report.not_measured = _NO_URL
        ledger = Ledger(report, stack.enter_context(shown(len(paths))))
        preparation = Preparation(given.folder, state, ledger, given.force)
        await Importer(preparation, bus, given.timeout, timer).run(paths)
        if timer:
            await timer.finish()
