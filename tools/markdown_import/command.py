"""Bring the Markdown files below DIR in as notes, with commands straight to Kafka.

The title is that of the YAML front matter, else the first heading, else the file's name; the tags are those of the
front matter. Run again, it sends what has changed since; a run that was killed is simply repeated. NOTES_KAFKA says
where Kafka is, NOTES_QUERY_URL where notes are read, to time that; else what `make up` wrote to .stack/env does.
NOTES_TOPIC_COMMANDS and NOTES_TOPIC_OUTCOMES name other topics. Exit codes: 0 every file's content is in its note;
1 something was rejected, failed, unreadable or is pending; 2 the import could not go on, and why; 130 interrupted.
"""

import argparse
import asyncio
import logging
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from aiokafka.errors import KafkaError

from notes_contracts.topics import COMMANDS_TOPIC, OUTCOMES_TOPIC
from tools.markdown_import import ImportStoppedError
from tools.markdown_import.chain import opened_state
from tools.markdown_import.files import find_markdown, namespace_of
from tools.markdown_import.importer import Importer, Report
from tools.markdown_import.kafka import connected

STACK_ENV = Path(__file__).resolve().parents[2] / ".stack" / "env"


def main() -> int:
    """Import a folder; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a file's name may be anything
    given, report = _arguments(), Report()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it has to say comes as an exception
    try:
        asyncio.run(_import(given, report))
    except (ImportStoppedError, KafkaError, OSError) as error:
        print(f"import_markdown: {str(error) or 'Kafka did not answer in time'}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("import_markdown: interrupted; run it again, nothing is lost or done twice.", file=sys.stderr)
        return 130
    return 0 if report.is_clean() else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("tools/import_markdown", description=__doc__)
    add = parser.add_argument
    add("folder", metavar="DIR", type=Path, help="the folder to import")
    add("--namespace", metavar="NAME", help="a UUID or any name; with the path below DIR it makes a note's id")
    add("--state", metavar="FILE", type=Path, help="what was sent so far (default: DIR/.notes-import.json)")
    add("--force", action="store_true", help="the files win over what others have changed or created")
    add("--timeout", metavar="SECONDS", type=float, default=60.0, help="to wait for an outcome (default: 60)")
    add("--query-url", metavar="URL", help="instead of NOTES_QUERY_URL")
    given = parser.parse_args()
    if not 0 < given.timeout < float("inf"):
        parser.error(f"--timeout {given.timeout:g} is no number of seconds above 0")
    return given


def find_addresses(environment: Mapping[str, str] = os.environ, stack_env: Path = STACK_ENV) -> Mapping[str, str]:
    """Return the settings, with the file's if the environment names no Kafka. Raises ImportStoppedError without one."""
    if not environment.get("NOTES_KAFKA") and stack_env.is_file():
        words = shlex.split(stack_env.read_text(), comments=True)
        environment = {**dict(word.split("=", 1) for word in words if "=" in word), **environment}
    if not environment.get("NOTES_KAFKA"):
        raise ImportStoppedError("Nobody says where Kafka is: run `make up`, or set NOTES_KAFKA=host:port.")
    return environment


async def _import(given: argparse.Namespace, report: Report) -> None:
    if not given.folder.is_dir():
        raise ImportStoppedError(f"{given.folder} is not a folder.")
    env = find_addresses()
    commands = env.get("NOTES_TOPIC_COMMANDS") or COMMANDS_TOPIC.name
    outcomes = env.get("NOTES_TOPIC_OUTCOMES") or OUTCOMES_TOPIC.name
    url = given.query_url or env.get("NOTES_QUERY_URL")
    namespace, asked = namespace_of(given.namespace, given.folder), bool(given.namespace)
    file = (given.state or given.folder / ".notes-import.json").resolve()
    paths = find_markdown(given.folder, report.book)
    async with connected(env, commands, outcomes) as kafka:
        with opened_state(file, namespace, kafka.target, asked=asked) as state:
            report.counts.update({"files found": len(paths), "files gone": len(state.notes.keys() - set(paths))})
            try:
                await Importer(given.folder, state, kafka, report, given.force, given.timeout, url).run(paths)
            finally:
                print("\n".join(report.lines()), flush=True)
