"""Fixtures shared by all tests."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from rutile_assets.ops.house import House, open_house

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Return the folder of real instrument files; skip, loudly, where this machine has none."""
    folder = SHARED / "realdata"
    if not folder.is_dir():
        pytest.skip(f"NO REAL DATA at {folder}: the check against real instrument files did not run")
    return folder


@pytest.fixture(scope="session")
def manifest(realdata: Path) -> dict[str, dict[str, str]]:
    """Return the verified answers: file -> row of MANIFEST.csv."""
    with (realdata / "MANIFEST.csv").open(newline="") as handle:
        return {row["file"]: row for row in csv.DictReader(handle)}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Return an empty home with its lake."""
    opened = open_house(tmp_path / "home")
    yield opened
    opened.lake.close()
