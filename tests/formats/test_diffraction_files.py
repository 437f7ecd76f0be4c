"""4D-STEM files: real ones against the answers of other programs, small ones with everything that can be wrong."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import small_images
from growths import drop_growth

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import read
from rutile_assets.formats.describe import describe
from rutile_assets.formats.measurement import INSTRUMENT_HEADER, MAX_FILE_BYTES, Measurement, Source
from rutile_assets.ops.house import House
from rutile_assets.ops.inbox import Dropped, declared_for
from rutile_assets.provenance.context import RunContext

SIDECAR: dict[str, object] = {"scan_shape": [3, 4], "scan_step_nm": 0.05, "adu_per_electron": 250}
FRAME = 130 * 128 * 4
XML = (
    '<root name="a"><timestamp isoformat="2024-02-03T04:05:06"/><software_version>1.2.2</software_version>'
    '<raw_file filename="{raw}"/><exposure_time>2</exposure_time>'
    '<scan_parameters mode="search"><scan_resolution_x>64</scan_resolution_x><scan_resolution_y>64</scan_resolution_y>'
    '</scan_parameters><scan_parameters mode="acquire"><scan_resolution_x>4</scan_resolution_x>'
    "<scan_resolution_y>3</scan_resolution_y></scan_parameters><iom_measurements><full_scan_field_of_view><x>7.2e-9</x>"
    "<scale_factor>0.72</scale_factor></full_scan_field_of_view></iom_measurements></root>"
)


def _empad(path: Path, frames: int = 12) -> np.ndarray[Any, Any]:
    stack = np.random.default_rng(0).uniform(0, 9, (frames, 130, 128)).astype("<f4")
    stack.tofile(path)
    return stack[:, :128]


def _refused(path: Path, declared: dict[str, object] | None = None) -> str:
    with pytest.raises(UnreadableFile) as refusal:
        read(Source(path, path.name, declared or {}))
    sentence = str(refusal.value)
    assert "fails on" not in sentence
    return sentence


def _values(measurement: Measurement) -> np.ndarray[Any, Any]:
    assert measurement.diffraction is not None
    opened = measurement.diffraction.open()
    assert opened.shape == measurement.diffraction.shape
    return np.asarray(opened[...])


def test_py4dstem_file(realdata: Path) -> None:
    measurement = read(Source.of(realdata / "stem4d" / "rsciio_py4DSTEM_size2x3x4x5.h5"))
    assert _values(measurement).shape == (2, 3, 4, 5)
    assert _values(measurement).dtype == np.float32
    assert measurement.settings["scan_step_nm"] == pytest.approx(0.1268, abs=5e-5)
    assert measurement.settings["detector_pixel_per_angstrom"] == pytest.approx(0.04425, abs=5e-6)
    assert measurement.settings["scan_step_nm_source"] == "file"
    assert isinstance(measurement.diffraction and measurement.diffraction.open(), np.memmap)


def test_block_file(realdata: Path) -> None:
    measurement = read(Source.of(realdata / "stem4d" / "rsciio_test1.blo"))
    values = _values(measurement)
    assert (values.shape, values.dtype, values.sum(dtype=int)) == ((3, 2, 144, 144), np.uint8, 5164570)
    assert measurement.settings["scan_step_nm"] == pytest.approx(12.8)
    assert str(measurement.acquired_at).startswith("2015-12-01")


@pytest.mark.parametrize(
    ("name", "shape", "mean"),
    [("001_4x2_6bit", (2, 4, 256, 256), 6.9116), ("002_4x2_6bit_roi128", (2, 4, 128, 256), 12.4505)],
)
def test_merlin_files_with_their_headers(
    realdata: Path, tmp_path: Path, name: str, shape: tuple[int, ...], mean: float
) -> None:
    with zipfile.ZipFile(realdata / "stem4d" / "rsciio_Merlin_navigation4x2_ROI.zip") as archive:
        for member in (f"{name}.mib", f"{name}.hdr"):
            (tmp_path / member).write_bytes(archive.read(next(n for n in archive.namelist() if n.endswith(member))))
    path = tmp_path / f"{name}.mib"
    declared, sidecars = declared_for(Dropped(path, tmp_path))
    assert [s.name for s in sidecars] == [f"{name}.hdr"]
    assert Dropped(sidecars[0], tmp_path).is_sidecar
    assert "whose scan shape nobody says" in _refused(path, declared)
    measurement = read(Source(path, path.name, {**declared, "scan_shape": [2, 4]}))
    values = _values(measurement)
    assert (values.shape, values.dtype) == (shape, np.uint8)
    assert values.mean() == pytest.approx(mean, abs=5e-5)
    assert measurement.diffraction is not None
    assert measurement.diffraction.largest_value == values.max() == 63
    assert measurement.settings["dwell_time_ms"] == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rsciio_Merlin_navigation4x2_ROI.zip", "ZIP archive"),
        ("rsciio_empad_map4x4.xml", "EMPAD acquisition without its .raw"),
        ("rsciio_empad_stack_images.xml", "EMPAD acquisition without its .raw"),
        ("rsciio_16x16-diffraction_imagel_5x5x256x256_EDS.emi", "only describes its .ser"),
    ],
)
def test_files_that_are_no_patterns_by_themselves(realdata: Path, name: str, words: str) -> None:
    assert words in _refused(realdata / "stem4d" / name)


@pytest.mark.parametrize("name", ["a.dm3", "a.dm4", "a.ser"])
def test_patterns_in_a_container_of_the_optional_extra_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("rutile_assets.formats.exotic.find_spec", lambda name: None)
    patterns = np.zeros((2, 3, 4, 5), "<u2")
    content = (
        small_images.ser([*patterns.reshape(6, 4, 5)], scan=(2, 3))
        if name == "a.ser"
        else small_images.dm(int(name[-1]), patterns)
    )
    (tmp_path / name).write_bytes(content)
    assert "rutile_assets[rosettasciio]" in _refused(tmp_path / name)


def test_spectra_of_a_scan_are_refused_by_their_places(realdata: Path) -> None:
    path = realdata / "stem4d" / "rsciio_16x16-diffraction_imagel_5x5x256x256_EDS_1.ser"
    assert "spectra at 5 x 5 places" in _refused(path)


def test_real_xml_of_051_beside_its_raw(realdata: Path, tmp_path: Path) -> None:
    (tmp_path / "acquisition_1.xml").write_bytes((realdata / "stem4d" / "rsciio_empad_map4x4.xml").read_bytes())
    frames = _empad(tmp_path / "scan_x4_y4.raw", 16)
    declared, _ = declared_for(Dropped(tmp_path / "scan_x4_y4.raw", tmp_path))
    measurement = read(Source(tmp_path / "scan_x4_y4.raw", "scan_x4_y4.raw", declared))
    assert _values(measurement).reshape(16, 128, 128) == pytest.approx(frames)
    said = measurement.settings
    assert said["accelerating_voltage_kv"] == 300.0
    assert said["dwell_time_ms"] == 1.0
    assert said["detector_pixel_mrad"] == pytest.approx(0.42907, abs=1e-5)
    assert said["screen_current_pa"] == pytest.approx(1.8692, abs=1e-4)
    assert {said[f"{key}_source"] for key in ("accelerating_voltage_kv", "dwell_time_ms", "scan_step_nm")} == {"xml"}
    assert "beam_current_pa" not in said
    assert measurement.instrument == "EMPAD 0.51 211118"
    assert str(measurement.acquired_at) == "2019-06-06 13:30:00.164675"
    assert any("patterns    4 x 4 of 128 x 128" in line for line in describe(measurement))


def test_real_xml_of_a_series(realdata: Path, tmp_path: Path) -> None:
    (tmp_path / "acquisition_11.xml").write_bytes((realdata / "stem4d" / "rsciio_empad_stack_images.xml").read_bytes())
    _empad(tmp_path / "series_x10.raw", 10)
    declared, _ = declared_for(Dropped(tmp_path / "series_x10.raw", tmp_path))
    measurement = read(Source(tmp_path / "series_x10.raw", "series_x10.raw", declared))
    assert _values(measurement).shape == (1, 10, 128, 128)


def test_xml_of_12_names_the_acquire_mode_and_the_file(tmp_path: Path) -> None:
    for raw, where in (
        ("scan_x4_y3.raw", "scan_x4_y3.raw"),
        ("C:\\data\\odd.raw", "odd.raw"),
        ("other.raw", "same.raw"),
    ):
        folder = tmp_path / where
        folder.mkdir()
        (folder / "same.xml").write_text(XML.format(raw=raw))
        _empad(folder / where)
        declared, sidecars = declared_for(Dropped(folder / where, folder))
        assert len(sidecars) == 1
        measurement = read(Source(folder / where, where, declared))
        assert _values(measurement).shape == (3, 4, 128, 128)
        assert measurement.settings["scan_step_nm"] == pytest.approx(2.5)  # 7.2 nm / 0.72 over 4 positions
        assert measurement.settings["dwell_time_ms"] == 2.0
    (tmp_path / "odd.raw" / "scan.raw").write_bytes(b"")
    assert declared_for(Dropped(tmp_path / "odd.raw" / "scan.raw", tmp_path))[1] == []


def test_the_sidecar_wins_over_the_xml_and_both_are_recorded(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(XML.format(raw="a_x9_y9.raw").replace("a_x9_y9", "a"))
    _empad(tmp_path / "a.raw")
    (tmp_path / "a.raw.yaml").write_text("dwell_time_ms: 1\nscan_shape: [2, 6]\nbeam_current_pa: 12\n")
    declared, sidecars = declared_for(Dropped(tmp_path / "a.raw", tmp_path))
    assert {s.name for s in sidecars} == {"a.xml", "a.raw.yaml"}
    assert declared["dwell_time_ms"] == 1
    assert declared[INSTRUMENT_HEADER]["dwell_time_ms"] == 2.0  # type: ignore[index]
    measurement = read(Source(tmp_path / "a.raw", "a.raw", declared))
    assert _values(measurement).shape[:2] == (2, 6)
    assert measurement.settings["dwell_time_ms"] == 1.0
    assert measurement.settings["dwell_time_ms_source"] == "sidecar"
    assert measurement.settings["scan_step_nm_source"] == "xml"
    assert any("dwell_time_ms stand in for those of the header" in note for note in measurement.notes)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({}, "whose scan shape nobody says"),
        ({"scan_shape": [3, 5]}, "12 frames: 3 are missing; expected 15 frames for the scan of 3 x 5"),
        ({"scan_shape": [3, 3]}, "12 frames; expected 9 frames"),
        ({"scan_shape": [3]}, "scan_shape [3]"),
        ({"scan_shape": [3.0, 4.0]}, "two whole numbers"),
        ({"scan_shape": [10**9, 10**9]}, "two whole numbers"),
        ({**SIDECAR, "scan_step_nm": "0.05 nm"}, "scan_step_nm: 0.05 nm of the sidecar"),
        ({**SIDECAR, "dwell_time_ms": -1}, "dwell_time_ms: -1"),
        ({**SIDECAR, "convergence_angle_mrad": 26}, "'convergence_semi_angle_mrad'"),
        ({**SIDECAR, "scan_stepnm": 1}, "'scan_step_nm'"),
    ],
)
def test_empad_faults_are_a_sentence_each(tmp_path: Path, declared: dict[str, object], words: str) -> None:
    _empad(tmp_path / "a.raw")
    assert words in _refused(tmp_path / "a.raw", declared)


@pytest.mark.parametrize("percent", [10, 50, 90])
@pytest.mark.parametrize("kind", ["a.raw", "a.npy", "a.h5", "a.blo", "a.mib"])
def test_cut_files_are_refused(tmp_path: Path, kind: str, percent: int, realdata: Path) -> None:
    path, declared = tmp_path / kind, SIDECAR
    if kind == "a.raw":
        _empad(path)
    elif kind == "a.npy":
        np.save(path, np.ones((3, 4, 8, 8), dtype=np.float32))
    elif kind == "a.mib":
        with zipfile.ZipFile(realdata / "stem4d" / "rsciio_Merlin_navigation4x2_ROI.zip") as archive:
            path.write_bytes(archive.read(next(n for n in archive.namelist() if n.endswith("1_4x2_6bit.mib"))))
        declared = {"scan_shape": [2, 4]}
    else:
        name = {"a.h5": "rsciio_py4DSTEM_size2x3x4x5.h5", "a.blo": "rsciio_test1.blo"}[kind]
        path.write_bytes((realdata / "stem4d" / name).read_bytes())
        declared = {}
    whole = path.read_bytes()
    assert _values(read(Source(path, kind, declared))).size
    path.write_bytes(whole[: len(whole) * percent // 100])
    _refused(path, declared)


def test_every_real_file_whole_and_cut_gets_a_verdict_at_ingest(house: House, realdata: Path) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    for path in sorted((realdata / "stem4d").iterdir()):
        content = path.read_bytes()
        for percent in (10, 50, 90, 100):
            target = folder / "stem4d" / f"to{percent}" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content[: len(content) * percent // 100])
    verdicts = {v.path.relative_to(folder).as_posix(): v for v in house.ingest([folder], RunContext("cli"))}
    said = {name for name, v in verdicts.items() if v.technique == "sidecar"}  # an .emi belongs to its .ser
    assert {Path(name).name for name in said} == {"rsciio_16x16-diffraction_imagel_5x5x256x256_EDS.emi"}
    accepted = {n for n, v in verdicts.items() if v.status == "accepted" and n != "growth.yaml"} - said
    assert accepted == {f"stem4d/to100/{n}" for n in ("rsciio_py4DSTEM_size2x3x4x5.h5", "rsciio_test1.blo")}
    assert len(verdicts) == 4 * 7 + 1
    for verdict in verdicts.values():
        assert "Traceback" not in verdict.sentence
        assert "fault" not in verdict.sentence


def test_npy_of_frames_takes_the_scan_from_the_sidecar_and_refuses_what_is_no_stack(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    stack = np.arange(12 * 6 * 5, dtype=np.uint16).reshape(12, 6, 5)
    np.save(path, stack)
    assert _values(read(Source(path, "a.npy", SIDECAR))) == pytest.approx(stack.reshape(3, 4, 6, 5))
    assert "12 patterns" in _refused(path, {"scan_shape": [5, 5]})
    for bad, words in ((np.zeros((4, 4)), "shape (4, 4)"), (np.array([None]), "object"), (1j * stack, "complex")):
        np.save(path, bad, allow_pickle=True)
        assert words in _refused(path, SIDECAR)
    path.write_bytes(b"\x93NUMPY\x01\x00\x20\x00{'descr': __import__('os').getcwd()}\n")
    assert "damaged .npy header" in _refused(path, SIDECAR)


def test_hdf5_that_is_no_emd_stays_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["stack"] = np.zeros((2, 2, 4, 4))
    assert "without a stack of diffraction patterns" in _refused(path)


def test_compressed_emd_is_read_through_hdf5_and_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    path, values = tmp_path / "a.h5", np.random.default_rng(0).poisson(5, (2, 3, 8, 8)).astype(np.uint16)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros((2, 2, 4, 4))
    with h5py.File(path, "w") as file:
        group = file.create_group("root/datacube")
        group.attrs["emd_group_type"] = "array"
        group.create_dataset("data", data=values, chunks=(1, 1, 8, 8), compression="gzip")
        group["link"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/secret")
        for i, (step, unit) in enumerate(((0.5, "A"), (0.5, "A"), (0.7, "mrad"), (0.8, "mrad"))):
            axis = group.create_dataset(f"dim{i}", data=step * np.arange(2))
            axis.attrs["units"] = unit
    measurement = read(Source.of(path))
    assert _values(measurement) == pytest.approx(values)
    assert measurement.settings["scan_step_nm"] == pytest.approx(0.05)
    assert "detector_pixel_mrad" not in measurement.settings
    assert any("differs between its two axes" in note for note in measurement.notes)


def test_a_mapped_file_may_be_larger_than_what_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.raw"
    frames = MAX_FILE_BYTES // FRAME + 1000
    with path.open("wb") as sink:
        sink.write(np.ones((130, 128), dtype="<f4").tobytes())
        sink.truncate(frames * FRAME)  # a hole: nothing is written
    measurement = read(Source(path, "large.raw", {"scan_shape": [1, frames]}))
    assert measurement.diffraction is not None
    assert measurement.diffraction.open()[0, 0].sum() == 128 * 128


def test_ingest_pairs_the_header_with_its_data(house: House, tmp_path: Path) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    here = folder / "stem4d"
    here.mkdir()
    (here / "a.xml").write_text(XML.format(raw="a.raw"))
    _empad(here / "a.raw")
    (here / "lonely.xml").write_text(XML.format(raw="gone.raw"))
    verdicts = {v.path.name: v for v in house.ingest([folder], RunContext("cli"))}
    assert (verdicts["a.raw"].status, verdicts["a.raw"].technique) == ("accepted", "stem4d")
    assert verdicts["a.xml"].status == "accepted"
    assert "without its .raw" in verdicts["lonely.xml"].sentence
    parents = house.lake.rows(
        "SELECT p.original_path FROM lake.edge e JOIN lake.raw_file c ON c.file_id = e.child"
        " JOIN lake.raw_file p ON p.file_id = e.parent WHERE c.original_path = 'stem4d/a.raw'"
    )
    assert [row["original_path"] for row in parents] == ["stem4d/a.xml"]
    again = {v.path.name: v.status for v in house.ingest([folder], RunContext("cli"))}
    assert again["a.raw"] == "known"
