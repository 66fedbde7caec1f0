"""Where the plugin keeps the session, for its fixtures in other files."""

import pytest

from tests.servers.session import Session

SESSION = pytest.StashKey[Session]()
