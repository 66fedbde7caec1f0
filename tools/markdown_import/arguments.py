"""The command line."""

import argparse
from pathlib import Path

DESCRIPTION = """\
Bring the Markdown files below DIR in as notes: one command a file, straight to Kafka.

Markdown files end in .md or .markdown, in any case. The title is that of the YAML front matter, else the first
heading, else the file's name; the tags are those of the front matter, the body is the text without it. Hidden
folders, node_modules and links that leave DIR are left out, which the report says. A file is the same note again
whenever the folder's namespace and the path below the folder are the same. Run again, it sends what has changed
since; a run that was killed is simply repeated.
"""
EPILOGUE = """\
addresses:
  NOTES_KAFKA=host:port, and NOTES_QUERY_URL to measure the time until notes are readable; without them, what
  `make up` wrote to .stack/env. NOTES_TOPIC_COMMANDS and NOTES_TOPIC_OUTCOMES name other topics.

exit codes:
  0    every file's content is in its note
  1    something was rejected, failed, unreadable, or is pending
  2    the import could not begin or go on; the message says why
  130  interrupted
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    made = argparse.ArgumentParser(
        "tools/import_markdown",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("folder", metavar="DIR", type=Path, help="the folder to import")
    made.add_argument(
        "--namespace",
        metavar="NAME",
        help="what makes this folder's notes differ from others': a UUID or any name (default: the one in the "
        "state file, else derived from the absolute path of DIR); give one to import a folder from several places",
    )
    made.add_argument(
        "--state", metavar="FILE", type=Path, help="what was sent so far (default: DIR/.notes-import.json)"
    )
    made.add_argument(
        "--force",
        action="store_true",
        help="the files win: overwrite notes that somebody else has changed, or that are there although the "
        "state file does not know them",
    )
    made.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=60.0,
        help="stop waiting when no outcome has come for so long (default: 60)",
    )
    made.add_argument("--query-url", metavar="URL", help="the read side, to measure the time until notes are readable")
    return made


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds


_seconds.__name__ = "number of seconds above 0"  # argparse names the type in its message
