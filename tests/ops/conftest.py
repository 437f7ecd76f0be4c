"""A light home, computed once for all tests of this folder that spoil a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from light_home import light_home, restored

from rutile_assets.ops.house import House, open_house


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return where the home stands, and where it is kept as it was."""
    folder = tmp_path_factory.mktemp("light")
    light_home(folder / "home").lake.close()
    shutil.copytree(folder / "home", folder / "kept")
    return folder / "home", folder / "kept"


@pytest.fixture
def mine(places: tuple[Path, Path]) -> Iterator[House]:
    """Return the home as it was, to be spoilt: one film with an AFM image and a Hall sweep."""
    house = restored(*places)
    yield house
    house.lake.close()
    open_house(house.home.root).lake.close()  # as a command may have opened it
