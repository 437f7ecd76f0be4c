"""Dropping files: a verdict each, and no file's fault touches another."""

from __future__ import annotations

from pathlib import Path

import pytest
from growths import GROWTH, drop_growth

from rutile_assets.ops.house import House
from rutile_assets.ops.ingest import Verdict
from rutile_assets.provenance.context import RunContext


def _drop(house: House, *paths: Path, growth: Path | None = None) -> list[Verdict]:
    return house.ingest(list(paths) or [house.home.inbox], RunContext("cli"), growth_folder=growth)


def _refused(house: House) -> list[dict[str, object]]:
    return house.lake.rows(
        "SELECT growth_id, path, found, expected, what_to_do, sha256 FROM rejected_files ORDER BY path"
    )


def test_a_growth_is_accepted_once_and_then_known(house: House) -> None:
    drop_growth(house.home.inbox, "MBE-1")
    assert [v.status for v in _drop(house)] == ["accepted"]
    assert [v.status for v in _drop(house)] == ["known"]
    assert house.lake.rows("SELECT count(*) AS n FROM raw_file") == [{"n": 1}]


def test_unknown_bytes_are_refused_once_and_lie_in_the_vault(house: House) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    (folder / "xrr").mkdir()
    (folder / "xrr" / "junk.bin").write_bytes(b"\x00\x01junk")
    for _ in range(2):
        verdicts = {v.path.name: v for v in _drop(house)}
        assert verdicts["junk.bin"].status == "rejected"
        assert "Traceback" not in verdicts["junk.bin"].sentence
    refused = _refused(house)
    assert [r["path"] for r in refused] == ["xrr/junk.bin"]
    assert house.lake.rows("SELECT count(*) AS n FROM lake.rejected_file") == [{"n": 1}]
    assert house.lake.rows("SELECT count(*) AS n FROM raw_object WHERE sha256 = ?", [refused[0]["sha256"]]) == [
        {"n": 1}
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("substrate:", "substrat:", "the unknown key 'substrat'; expected the key 'substrate'"),
        ("growth_id: MBE-1\n", "", "no 'growth_id'"),
        ("origin: simulated", "origin: guessed", "origin: 'guessed'"),
        ("nominal_thickness_nm: 3.8", "nominal_thickness_nm: -3", "layers.1.nominal_thickness_nm: -3"),
        ("precursor", "precusor", "the unknown key 'layers.1.precusor'; expected the key 'precursor'"),
        ("growth_id: MBE-1", "growth_id: ../../etc", "growth_id: '../../etc'"),
        ("growth_id: MBE-1", "growth_id: MBE-2", "growth_id 'MBE-2' in the folder 'MBE-1'"),
        ("method: hybrid MBE", "method: &a hybrid\nnotes: *a", "alias"),
        ("method: hybrid MBE", "method: a\nmethod: b", "the key 'method' twice"),
        ("method: hybrid MBE", "method: [", "broken YAML"),
        ("method: hybrid MBE", "method: !!python/object/apply:os.system ['true']", "broken YAML"),
    ],
)
def test_a_wrong_growth_yaml_is_refused_in_one_sentence(house: House, old: str, new: str, words: str) -> None:
    folder = house.home.inbox / "MBE-1"
    folder.mkdir()
    (folder / "growth.yaml").write_text(GROWTH.format(growth_id="MBE-1", thickness=3.8).replace(old, new))
    (folder / "scan.dat").write_text("1 2\n")
    growth, other = _drop(house)
    assert growth.status == other.status == "rejected"
    assert words in growth.sentence
    assert "growth.yaml that was refused" in other.sentence


def test_a_corrected_growth_yaml_clears_its_refusal(house: House) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    good = (folder / "growth.yaml").read_text()
    (folder / "growth.yaml").write_text(good.replace("substrate", "substrat"))
    _drop(house)
    (folder / "growth.yaml").write_text(good)
    assert [v.status for v in _drop(house)] == ["accepted"]


def test_files_without_a_growth_say_what_is_missing(house: House, tmp_path: Path) -> None:
    (tmp_path / "scan.dat").write_text("1 2\n")
    (verdict,) = _drop(house, tmp_path / "scan.dat")
    assert "no growth.yaml" in verdict.sentence
    assert _refused(house)[0]["growth_id"] is None


def test_a_missing_path_and_a_link_are_refused(house: House, tmp_path: Path) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    (tmp_path / "secret").write_text("root")
    (folder / "link.dat").symlink_to(tmp_path / "secret")
    verdicts = {v.path.name: v.sentence for v in _drop(house, folder, tmp_path / "nothing")}
    assert "a symbolic link" in verdicts["link.dat"]
    assert verdicts["nothing"]


def test_hidden_and_system_files_are_left_alone(house: House) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    for name in (".DS_Store", "~$growth.xlsx", "Thumbs.db"):
        (folder / name).write_bytes(b"x")
    assert [v.path.name for v in _drop(house)] == ["growth.yaml"]


def test_a_broken_sidecar_is_refused_with_the_file_it_describes(house: House) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    (folder / "map.dat").write_text("1 2\n")
    (folder / "map.dat.yaml").write_text("bias_on: [")
    verdicts = {v.path.name: v for v in _drop(house)}
    assert "broken sidecar map.dat.yaml" in verdicts["map.dat"].sentence
    assert verdicts["growth.yaml"].status == "accepted"
