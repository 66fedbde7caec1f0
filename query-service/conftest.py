"""Makes `query_support` importable: the in-memory twins of the stores, which pass the stores' own tests."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "tests"))
pytest.register_assert_rewrite("query_support")
