"""The example in the README is run as it stands."""

import re
from pathlib import Path
from typing import Any

from notes_contracts import Written

README = Path(__file__).parents[1] / "README.md"


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, README.name, "exec"), names)
    assert isinstance(names["message"], Written)
    assert dict(names["message"].headers)["ce_type"] == b"notes.command.create-note.v1"


def test_every_module_it_names_is_there() -> None:
    package = README.parent / "src" / "notes_contracts"
    named = re.findall(r"`(\w+\.py)`", README.read_text(encoding="utf-8"))
    assert named
    assert set(named) == {path.name for path in package.glob("*.py")} - {"__init__.py"}
