"""The raw files written out again are those that came in, or are refused by name."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from growths import drop_growth

from rutile_assets.errors import InvalidRecord, UnreadableFile
from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.originals import Original, originals, write_originals


@pytest.fixture
def files(house: House) -> list[Original]:
    for film in ("MBE-1", "MBE-2"):
        folder = drop_growth(house.home.inbox, film)
        (folder / "settings.yaml").write_text(f"operator: {film}\n", encoding="utf-8")
        house.ingest([folder], RunContext("cli"))
    shutil.rmtree(house.home.inbox)
    return originals(house.lake, house.home, ["MBE-1"])


def test_another_home_takes_them_in_as_the_same_files(house: House, files: list[Original], tmp_path: Path) -> None:
    assert [file.name for file in files] == ["MBE-1/growth.yaml", "MBE-1/settings.yaml"]
    write_originals(files, tmp_path / "out")
    write_originals(files, tmp_path / "out")
    other = open_house(tmp_path / "other")
    other.ingest([tmp_path / "out"], RunContext("cli"))
    question = "SELECT original_path, sha256, data_version FROM current_raw_file WHERE growth_id = 'MBE-1' ORDER BY ALL"
    assert other.lake.rows(question) == house.lake.rows(question)


def test_changed_and_lost_bytes_are_refused_by_name(files: list[Original], tmp_path: Path) -> None:
    files[0].path.chmod(0o644)
    files[0].path.write_bytes(b"other")
    with pytest.raises(UnreadableFile, match=r"MBE-1/growth\.yaml: found bytes in the vault with sha256"):
        write_originals(files, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*growth*"))
    files[0].path.unlink()
    with pytest.raises(UnreadableFile, match=r"MBE-1/growth\.yaml: found no bytes in the vault"):
        write_originals(files, tmp_path / "out")


def test_nothing_is_written_over_or_outside(files: list[Original], tmp_path: Path) -> None:
    (tmp_path / "out" / "MBE-1").mkdir(parents=True)
    (tmp_path / "out" / "MBE-1" / "growth.yaml").write_bytes(b"mine")
    with pytest.raises(InvalidRecord, match="other bytes"):
        write_originals(files, tmp_path / "out")
    for hostile in ("../../evil", "/etc/evil", "a/../../evil"):
        with pytest.raises(InvalidRecord, match="a path inside"):
            write_originals([replace(files[0], original_path=hostile)], tmp_path / "away")
    assert not (tmp_path / "away").exists()
