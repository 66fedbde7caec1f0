from pathlib import Path

import pytest

from tests.markdown_import.unit.runs import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
