"""Images of electron microscopes: real files against other programs' answers, small ones with what can be wrong."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import small_images as small
from small_images import IMAGE

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import read
from rutile_assets.formats.measurement import INSTRUMENT_HEADER, Measurement, Source
from rutile_assets.formats.tia import read_header


def _read(folder: Path, name: str, content: bytes, declared: dict[str, object] | None = None) -> Measurement:
    path = folder / "file"
    path.write_bytes(content)
    return read(Source(path, name, declared or {}))


def _refused(folder: Path, name: str, content: bytes, declared: dict[str, object] | None = None) -> str:
    with pytest.raises(UnreadableFile) as refusal:
        _read(folder, name, content, declared)
    assert "fails on" not in str(refusal.value)
    return str(refusal.value)


# name -> detectors, shape, dtype's least and largest, mean of the first image, pixel (MANIFEST.csv)
ANSWERS = {
    "ncem_16_STOimage_1.ser": (1, (1024, 1024), 16121, 24376, 18748.3326, 0.010012704),
    "ncem_STEM_HAADF_Diffraction_Micro.emd": (1, (128, 128), 9987, 10002, 9994.9268, 87.3708),
    "ncem_STEM_HAADF-DF4-DF2-BF_Diffraction_Micro.emd": (4, (128, 128), 9989, 10003, 9995.6121, 87.3708),
    "rsciio_test_STEM_image.dm3": (1, (68, 68), 29407, 36106, 32655.3968, 0.248538),
    "rsciio_Fei_HAADF-DE_location.dm3": (1, (4, 16), 3816, 3954, 3871.125, 5.50607),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_real_images_give_the_manifests_answers(realdata: Path, name: str) -> None:
    detectors, shape, least, largest, mean, pixel = ANSWERS[name]
    measurement = read(Source.of(realdata / "haadf_stem" / name))
    values = measurement.channels[0].values
    assert len(measurement.channels) == detectors
    assert values.shape == shape
    assert (values.min(), values.max()) == (least, largest)
    assert values.mean() == pytest.approx(mean, abs=5e-4)
    assert measurement.channels[0].pixel_size_x_nm == pytest.approx(pixel, rel=5e-6)
    assert measurement.settings["pixel_nm"] == pytest.approx(pixel, rel=5e-6)


def test_of_four_detectors_haadf_is_first_and_three_are_all_zero(realdata: Path) -> None:
    channels = read(Source.of(realdata / "haadf_stem" / "ncem_STEM_HAADF-DF4-DF2-BF_Diffraction_Micro.emd")).channels
    assert [c.label for c in channels] == ["HAADF", "DF2", "BF", "DF4"]
    assert [float(c.values.max()) for c in channels[1:]] == [0.0, 0.0, 0.0]


def test_a_real_emi_tells_of_its_ser(realdata: Path) -> None:
    folder = realdata / "haadf_stem"
    said = read_header((folder / "ncem_16_STOimage.emi").read_bytes(), "ncem_16_STOimage.emi", "ncem_16_STOimage_1.ser")
    assert said is not None
    path = folder / "ncem_16_STOimage_1.ser"
    measurement = read(Source(path, path.name, {INSTRUMENT_HEADER: said}))
    assert measurement.settings["accelerating_voltage_kv"] == 80.0
    assert measurement.settings["dwell_time_ms"] == pytest.approx(0.029)
    assert measurement.instrument == "TitanCubed D3147 S-Twin"
    assert measurement.acquired_at == datetime(2011, 10, 19, 1, 18, 46, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "words"), [("ncem_16_STOimage.emi", "only describes its .ser"), ("rsciio_velox_emd_version11.zip", "ZIP")]
)
def test_real_files_that_are_no_images_by_themselves(realdata: Path, name: str, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words):
        read(Source.of(realdata / "haadf_stem" / name))


@pytest.mark.parametrize("name", ["ncem_16_STOimage_1.ser", "rsciio_test_STEM_image.dm3", "a.dm3", "a.dm4", "a.ser"])
def test_images_agree_with_rosettasciio(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> None:
    pytest.importorskip("rsciio")
    module = import_module("rsciio.tia" if name.endswith("ser") else "rsciio.digitalmicrograph")
    path = tmp_path / name
    path.write_bytes(
        small.IMAGES[name]
        if name in small.IMAGES
        else (request.getfixturevalue("realdata") / "haadf_stem" / name).read_bytes()
    )
    theirs = module.file_reader(str(path))[-1]
    ours = read(Source.of(path)).channels
    assert np.array_equal(np.squeeze([c.values for c in ours]), theirs["data"])
    step = theirs["axes"][-1]["scale"] * (1e9 if theirs["axes"][-1]["units"] == "m" else 1.0)
    assert ours[0].pixel_size_x_nm == pytest.approx(step, rel=1e-6)


@pytest.mark.parametrize("name", small.IMAGES)
def test_small_images(tmp_path: Path, name: str) -> None:
    measurement = _read(tmp_path, name, small.IMAGES[name])
    channel = measurement.channels[0]
    assert np.array_equal(channel.values, IMAGE)
    assert (channel.quantity, channel.unit) == ("intensity_counts", "counts")
    assert (channel.pixel_size_x_nm, channel.pixel_size_y_nm) == pytest.approx((0.025, 0.025))
    assert len(measurement.channels) == (2 if name == "a.ser" else 1)


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_gatan_tags_in_both_byte_orders(tmp_path: Path, version: int, order: str) -> None:
    measurement = _read(tmp_path, "a.dm4", small.dm(version, order=order, scale=25.0, unit="pm"))
    said = measurement.settings
    assert np.array_equal(measurement.channels[0].values, IMAGE)
    assert said["pixel_nm"] == pytest.approx(0.025)
    assert (said["accelerating_voltage_kv"], said["scan_rotation_deg"]) == (200.0, 45.0)
    assert said["dwell_time_ms"] == pytest.approx(0.0035)  # "3,5" of a locale with decimal commas
    assert measurement.acquired_at == datetime(2016, 8, 27, 20, 54, 33)
    assert measurement.technique == "haadf"


@pytest.mark.parametrize("dtype", ["u1", "<i4", "<f4", "<f8"])
def test_gatan_series_of_other_types(tmp_path: Path, dtype: str) -> None:
    series = np.arange(24).reshape(2, 3, 4).astype(dtype)
    channels = _read(tmp_path, "a.dm3", small.dm(3, series)).channels
    assert [c.label for c in channels] == ["HAADF frame 1", "HAADF frame 2"]
    assert np.array_equal([c.values for c in channels], series)


def test_gatan_larger_images_are_not_taken_for_text(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 60_000, (80, 70)).astype("<u2")
    assert np.array_equal(_read(tmp_path, "a.dm3", small.dm(3, image)).channels[0].values, image)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (small.dm(3, claimed=(4, 4)), "12 pixels for an image"),
        (small.dm(3, claimed=(0, 4)), "12 pixels for an image"),
        (small.dm(3, claimed=(2**31 - 1, 2**31 - 1)), "12 pixels for an image"),
        (small.dm(3, np.arange(4, dtype="<u2")), "1 dimensions"),
        (small.dm(3)[:200], "beyond the end"),
        (struct.pack(">iii", 3, 40, 1) + b"\1\0" + struct.pack(">i", 2**31 - 1) + b"\0" * 60, "2147483647 tags"),
        (struct.pack(">iii", 3, 40, 1) + b"\1\0" + struct.pack(">i", -1) + b"\0" * 60, "-1 tags"),
    ],
)
def test_gatan_files_that_lie_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in _refused(tmp_path, "a.dm3", content)


def test_gatan_tags_nested_without_end_are_refused(tmp_path: Path) -> None:
    nest = b"\1\0" + struct.pack(">i", 0)
    for _ in range(5000):
        nest = b"\1\0" + struct.pack(">i", 1) + b"\x14\0\0" + nest
    assert "nested" in _refused(tmp_path, "a.dm3", struct.pack(">iii", 3, len(nest), 1) + nest)


@pytest.mark.parametrize("wide", [True, False])
def test_tia_series_of_both_versions(tmp_path: Path, wide: bool) -> None:
    measurement = _read(tmp_path, "a.ser", small.ser(wide=wide))
    assert np.array_equal(measurement.channels[1].values, IMAGE + 1)
    assert measurement.acquired_at == datetime.fromtimestamp(1319000000, UTC)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (small.ser(changes={18: struct.pack("<i", 2**31 - 1)}), "2 of 2|of 2147483647|elements"),
        (small.ser(changes={22: struct.pack("<q", 2**60)}), "the places of 2 images"),
        (small.ser(changes={30: struct.pack("<i", 1000)}), "1000 dimensions"),
        (small.ser(changes={58: struct.pack("<i", 2**30)}), "a text of"),
        (small.ser(changes={4: b"\xff\xff"}), "version 0xffff"),
        (small.ser([np.zeros((2, 2), "c8")]), "of type 9"),
        (small.ser([]), "without an image"),
        (small.ser(kind=0x4120), "spectra"),
        (small.ser()[:-40], "within"),
    ],
)
def test_tia_series_that_lie_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    sentence = _refused(tmp_path, "a.ser", content)
    assert any(word in sentence for word in words.split("|")), sentence


@pytest.mark.parametrize(
    ("content", "name", "data_name", "said"),
    [
        (small.emi(), "x.emi", "x_1.ser", {"file": "x.emi", "accelerating_voltage_kv": 80.0, "dwell_time_ms": 0.025}),
        (small.emi(), "x.emi", "y_1.ser", None),
        (b"text", "x.emi", "x_1.ser", None),
        (small.emi("<a>"), "x.emi", "X_12.ser", {"file": "x.emi"}),
        (small.emi("<AcceleratingVoltage>1e400</AcceleratingVoltage>"), "x.emi", "x_1.ser", {"file": "x.emi"}),
    ],
)
def test_emi_beside_a_ser(content: bytes, name: str, data_name: str, said: object) -> None:
    assert read_header(content, name, data_name) == said


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<i4", "<f4"])
@pytest.mark.parametrize("how", [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}])
def test_tiff_series(tmp_path: Path, dtype: str, how: dict[str, str]) -> None:
    pages = [np.arange(12).reshape(3, 4).astype(dtype) + page for page in range(3)]
    channels = _read(tmp_path, "a.tif", small.tif(pages, **how)).channels
    assert np.array_equal([c.values for c in channels], pages)


def test_tiff_pixels_are_those_of_the_microscope_not_the_printers(tmp_path: Path) -> None:
    assert "pixel_nm" not in _read(tmp_path, "a.tif", small.tif(description="by a printer")).settings
    measurement = _read(tmp_path, "a.tif", small.tif(description=""), {"pixel_nm": 0.02})
    assert measurement.settings["pixel_nm"] == 0.02
    assert measurement.settings["pixel_nm_source"] == "sidecar"
    assert any("pixel_nm" in note for note in measurement.notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (small.tif([np.zeros((3, 4, 3), "u1")]), "mode RGB"),
        (small.tif([np.zeros((3, 4), "u1"), np.zeros((4, 4), "u1")]), "several sizes"),
        (small.tif([np.zeros((6000, 6000), "u1")], compression="tiff_deflate"), "unpacks to"),
        (b"II*\x00\x08\0\0\0" + b"\xff" * 64, "cannot be decoded"),
    ],
)
def test_tiff_that_is_no_image_or_a_bomb_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in _refused(tmp_path, "a.tif", content)


def test_velox_frames_carry_their_rotations(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.emd", small.velox())
    assert [c.label for c in measurement.channels] == ["HAADF frame 1", "HAADF frame 2", "BF"]
    assert np.array_equal(measurement.channels[1].values, IMAGE + 1)
    assert measurement.settings["frame_rotations_deg"] == pytest.approx([0.0, 45.0])
    assert measurement.settings["pixel_nm"] == pytest.approx(0.025)
    assert measurement.settings["dwell_time_ms"] == pytest.approx(2e-3)
    assert measurement.technique == "haadf"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (small.velox(texts=["{"]), "description of an image"),
        (small.velox(texts=["[" * 100_000]), "description of an image"),
        (small.velox({}), "without a stack"),
        (small.velox({"HAADF": np.zeros((3, 4, 0), "u2")}), ""),
        (small.velox()[:-100], "ends too early"),
    ],
)
def test_velox_files_that_are_damaged_or_empty_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in _refused(tmp_path, "a.emd", content)


def test_velox_without_believable_pixels_says_so_by_none(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.emd", small.velox(texts=["[]"]))
    assert "pixel_nm" not in measurement.settings
    assert np.isnan(measurement.channels[0].pixel_size_x_nm)


@pytest.mark.parametrize("rotations", ["45", [], [0, "x"], [True]])
def test_rotations_of_a_sidecar_are_a_list_of_angles(tmp_path: Path, rotations: object) -> None:
    assert "frame_rotations_deg" in _refused(tmp_path, "a.ser", small.ser(), {"frame_rotations_deg": rotations})
