"""`python -m tools.contract_gate check`, or `release`, which checks, too, before it writes."""

import argparse
import sys

from tools.contract_gate.breaks import breaks
from tools.contract_gate.release import GateError, present, released, write_release


def main() -> int:
    """Return 0 if nobody is broken, 1 if somebody is; each break is one line on standard error."""
    parser = argparse.ArgumentParser(prog="tools.contract_gate", description="Contracts against every release.")
    parser.add_argument("act", choices=["check", "release"])
    act = parser.parse_args().act
    try:
        releases = released()
        found = [sentence for release in releases for sentence in breaks(release, present())]
        for sentence in found:
            print(sentence, file=sys.stderr)
        if found:
            print(f"{len(found)} breaks. A deliberate one is a new type or path: contracts/README.md", file=sys.stderr)
            return 1
        if act == "release":
            print(f"released: contracts/released/{write_release().name}")
        else:
            print(f"nobody is broken: compared with {', '.join(release.name for release in releases) or 'nothing'}")
    except GateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
