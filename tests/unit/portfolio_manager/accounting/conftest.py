import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(os.environ.get("FRIREN_SHARED_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip("the recorded runs are not here: set FRIREN_SHARED_DATA")
    return folder
