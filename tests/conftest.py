"""Fixtures that several test modules share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World, world


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """A fresh world."""
    with world(tmp_path / "ledger.db") as built:
        yield built
