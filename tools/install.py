"""Installs pinned requirements quietly: python tools/install.py FILE "for what". Runs before anything is installed."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

LOG = Path(sys.prefix) / "install.log"
EVERY = 5.0  # seconds between two lines where there is no terminal
FOUND = re.compile(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)")


def main(requirements: str, purpose: str) -> int:
    """Run pip, show how far it is, and return its exit code; its own words are shown if it fails."""
    total = len(re.findall(r"^[\w.-]+(?:\[.*\])?==", Path(requirements).read_text(encoding="utf-8"), re.MULTILINE))
    print(f"Installing {purpose}: at most {total} packages into {Path(sys.prefix).name} ...", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    began = shown = time.monotonic()
    done, line, said = 0, "", ""
    with (
        LOG.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [*pip, "--require-hashes", "-r", requirements],
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for text in process.stdout:
            log.write(text)
            if found := FOUND.match(text):
                done += 1
                line = f"  {done} of {total}: {found[1]}"
            elif text.startswith("Installing collected"):
                line = "  all are here; unpacking"
            if sys.stdout.isatty():
                print(f"\r\033[K{line}", end="", flush=True)
            elif line != said and time.monotonic() - shown > EVERY:
                shown, said = time.monotonic(), line
                print(line, flush=True)
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if process.returncode:
        print("  | " + "\n  | ".join(LOG.read_text(encoding="utf-8").splitlines()[-12:]))
        print(f"pip could not install {requirements}. Check the network and try again. Log: {LOG}")
        return process.returncode
    print(f"  installed in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
