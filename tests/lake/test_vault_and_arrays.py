"""Bytes and arrays: written once, addressed by content."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from rutile_assets.errors import InvalidRecord, UnreadableFile
from rutile_assets.lake import arrays, vault


def test_the_same_bytes_twice_are_one_read_only_object(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"counts")
    (tmp_path / "b").write_bytes(b"counts")
    first, second = (vault.store(tmp_path / "vault", tmp_path / name) for name in "ab")
    assert first.sha256 == second.sha256
    assert (first.new, second.new) == (True, False)
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o444
    assert len([p for p in (tmp_path / "vault").rglob("*") if p.is_file()]) == 1
    assert vault.is_intact(tmp_path / "vault", first.sha256)


def test_a_byte_changed_in_the_vault_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"counts")
    stored = vault.store(tmp_path / "vault", tmp_path / "a")
    stored.path.chmod(0o644)
    stored.path.write_bytes(b"c0unts")
    assert not vault.is_intact(tmp_path / "vault", stored.sha256)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no regular file"):
        vault.store(tmp_path / "vault", tmp_path)


def test_an_array_comes_back_bit_for_bit_and_the_same_content_has_one_reference(tmp_path: Path) -> None:
    height = np.random.default_rng(1).normal(size=(7, 5))
    height[0, 0] = np.nan
    reference = arrays.store(tmp_path, "height_nm", height, {"pixel_size_nm": 2.0})
    assert arrays.store(tmp_path, "height_nm", height.copy(), {"pixel_size_nm": 2.0}) == reference
    assert arrays.store(tmp_path, "height_nm", height, {"pixel_size_nm": 3.0}) != reference
    np.testing.assert_array_equal(arrays.read(tmp_path, reference), height)


@pytest.mark.parametrize("reference", ["height_nm/none", "../secret", "/etc"])
def test_a_reference_that_names_no_array_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(InvalidRecord, match="no array"):
        arrays.read(tmp_path, reference)
