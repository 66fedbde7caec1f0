"""Fetch the libraries that the page vendors, anew: `python -m tools.vendor_page`.

`vendor.json` beside the libraries says which; `npm` fetches them from the registry that it is set up for. Of each
package one module is taken as it was published, but for two things that a browser without a build step needs: bare
imports become relative ones, and the name of the source map, which is not there, goes.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[1] / "web/src/notes_web/static/vendor"
_IMPORT: Final = re.compile(r"""(\b(?:from|import)\s*)(["'])([@\w][\w@/.-]*)\2""")
_MAP: Final = re.compile(r"^//# sourceMappingURL=.*\n?", re.MULTILINE)


def main() -> int:
    """Write every vendored module and its licence, and its hash into vendor.json."""
    npm = shutil.which("npm")
    if npm is None:
        print("npm was not found; it is what fetches the packages", file=sys.stderr)
        return 2
    listed = FOLDER / "vendor.json"
    libraries: list[dict[str, Any]] = json.loads(listed.read_text(encoding="utf-8"))
    modules = {library["import"]: library["file"] for library in libraries}
    for library in libraries:
        with tempfile.TemporaryDirectory() as scratch:
            package = _unpacked(npm, f"{library['name']}@{library['version']}", Path(scratch))
            text = as_vendored((package / library["source"]).read_text(encoding="utf-8"), modules)
            (FOLDER / library["file"]).write_text(text, encoding="utf-8")
            licence = next(path for path in sorted(package.iterdir()) if path.name.upper().startswith("LICENSE"))
            (FOLDER / library["licence_file"]).write_bytes(licence.read_bytes())
        library["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        print(library["name"], library["version"])
    listed.write_text(json.dumps(libraries, indent=2) + "\n", encoding="utf-8")
    return 0


def as_vendored(text: str, modules: dict[str, str]) -> str:
    """Return a module whose bare imports are relative. Raises KeyError for one of what is not vendored."""
    return _MAP.sub("", _IMPORT.sub(lambda match: f'{match[1]}"./{modules[match[3]]}"', text))


def _unpacked(npm: str, package: str, scratch: Path) -> Path:
    subprocess.run([npm, "pack", "--silent", package], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
    archive = next(scratch.glob("*.tgz"))
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
    return scratch / "package"


if __name__ == "__main__":
    raise SystemExit(main())
