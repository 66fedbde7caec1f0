"""The browser of these tests is told what to do without, over Playwright's own list."""

import re
from pathlib import Path

import playwright

from tests.web.browser import SWITCHED_OFF

OF_OTHER_SYSTEMS = {
    "TcpPortRandomizationWin",
    "msEdgeUpdateLaunchServicesPreferredVersion",
    "msForceBrowserSignIn",
}


def test_all_that_playwright_switches_off_stays_off() -> None:
    bundle = Path(playwright.__file__).parent / "driver" / "package" / "lib" / "coreBundle.js"
    found = re.search(r"disabledFeatures = \[(.*?)\]", bundle.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    assert set(re.findall(r'"(\w+)"', found[1])) == OF_OTHER_SYSTEMS | set(SWITCHED_OFF)
