"""What every test of this service may ask for."""

import pytest
from query_support.samples import Samples
from query_support.side import Side, side_in_memory


@pytest.fixture
def samples() -> Samples:
    return Samples()


@pytest.fixture
def side() -> Side:
    return side_in_memory()
