"""Comparing with files under `data/`, byte for byte; `--regenerate` rewrites them."""

from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture
def check_golden(request):
    """Compare a text with the golden file of this name, or rewrite the file."""

    def check(name, text):
        path = DATA / name
        if request.config.getoption("--regenerate"):
            path.write_bytes(text.encode())
            return
        assert path.is_file(), f"{name} is missing: run pytest --regenerate"
        golden = path.read_bytes().decode()
        # Line by line first: pytest shows the first lines that differ.
        assert text.splitlines() == golden.splitlines()
        assert text == golden

    return check
