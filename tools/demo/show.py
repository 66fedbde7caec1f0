"""What a person sees."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

PREVIEW = 60

_console = Console(highlight=False, soft_wrap=True)


def chapter(title: str) -> None:
    """Begin a part of the demo."""
    _console.print()
    _console.print(Rule(Text(title, style="bold"), align="left", style="dim"))


def say(text: str, style: str = "") -> None:
    """Print a line."""
    _console.print(Text(f"  {text}", style=style))


def right(text: str) -> None:
    """Print that a step was right."""
    _console.print(Text("  ✓ ", style="green").append(text, style="default"))


def wrong(text: str) -> None:
    """Print what was not right."""
    _console.print(Text("  ✗ ", style="bold red").append(text, style="default"))


def note(view: Mapping[str, Any], seconds: float, *, since: str) -> None:
    """Print what a reader sees of a note, and how long it took."""
    preview = " ".join(view["preview"].split())
    shown = preview if len(preview) <= PREVIEW else preview[: PREVIEW - 1] + "…"
    line = Text("  reader ", style="cyan")
    line.append(f"v{view['version']}  {view['title']}", style="bold default")
    line.append(f"  “{shown}”", style="italic default")
    line.append(f"  {milliseconds(seconds)} {since}", style="default dim")
    _console.print(line)


def milliseconds(seconds: float) -> str:
    """Return a time as text."""
    return f"{seconds * 1000:,.1f} ms"
