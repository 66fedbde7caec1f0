"""Makes `command_support` importable: builders, fakes and the suite that twin and PostgreSQL share."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
pytest.register_assert_rewrite("command_support")
