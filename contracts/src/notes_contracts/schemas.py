"""JSON Schemas of all messages, for upstreams that are not Python.

`python -m notes_contracts.schemas DIR` writes them; a test fails when the committed ones differ.
"""

import json
import sys
from pathlib import Path

from notes_contracts.messages import MESSAGES


def schemas() -> dict[str, str]:
    """Return the text of every schema by its file name, `<ce_type>.json`."""
    return {f"{name}.json": _schema(name) for name in MESSAGES}


def _schema(name: str) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{name.replace('.', ':')}",
        **MESSAGES[name].model_json_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(folder: Path) -> None:
    """Write every schema to `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
