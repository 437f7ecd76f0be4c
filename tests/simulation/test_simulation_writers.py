"""Files that are written: our readers give back the arrays, and so do rules that are not ours."""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from igor2 import binarywave

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import read
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.simulation.writers import ibw, multivu, nanoscope, rasx, xrdml
from rutile_assets.simulation.writers.scan import Header, Image, XrayScan

HEADER = Header("SIM <1> & Söhne", "A. Person", "simulated, not measured", datetime(2025, 3, 14, 15, 9, 26))
SCAN = XrayScan(
    two_theta_deg=0.3 + 0.01 * np.arange(271),
    detected_counts=np.random.default_rng(0).poisson(500.0, 271).astype(float),
    attenuation_factor=np.where(np.arange(271) < 40, 148.0, 1.0),
    counting_time_s=2.0,
    axis="TwoThetaOmega",
)
RNG = np.random.default_rng(1)
HEIGHT = Image("HeightRetrace", RNG.normal(0.0, 2.0, (32, 48)), "nm")
POTENTIAL = Image("NapPotentialRetrace", RNG.normal(-0.4, 1e-3, (32, 48)), "V")
LOOP = np.linspace(9.0, -9.0, 37)


def _reread(folder: Path, name: str, content: bytes) -> Measurement:
    path = folder / name
    path.write_bytes(content)
    return read(Source.of(path))


def _bridges() -> list[multivu.Bridge]:
    return [
        multivu.Bridge("vdp_a", 70.0 + LOOP**2 * 1e-4, 1e-3, 1e-5),
        multivu.Bridge("hall", 3.0 - 0.33 * LOOP, 2e-4, 1e-5),
    ]


def _multivu() -> bytes:
    return multivu.write(_bridges(), 6.0 * np.arange(37), np.full(37, 1.8), LOOP, HEADER)


ALL = {
    "scan.rasx": lambda: rasx.write([SCAN], HEADER),
    "scan.xrdml": lambda: xrdml.write([SCAN], HEADER),
    "image.000": lambda: nanoscope.write([HEIGHT], HEADER, 2000.0, 5),
    "image.spm": lambda: nanoscope.write([HEIGHT], HEADER, 2000.0, 9),
    "map.ibw": lambda: ibw.write([HEIGHT, POTENTIAL], HEADER, 1000.0, "SIM0001"),
    "loop.dat": _multivu,
}


@pytest.mark.parametrize("name", ALL)
def test_the_same_data_give_the_same_bytes(name: str) -> None:
    assert ALL[name]() == ALL[name]()


@pytest.mark.parametrize("name", ALL)
def test_every_file_says_that_it_is_simulated(name: str) -> None:
    content = ALL[name]()
    if name.endswith(".rasx"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read("Data0/MesurementConditions0.xml")
    assert b"simulated" in content


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_cut_file_is_refused_in_a_sentence(name: str, part: float, tmp_path: Path) -> None:
    content = ALL[name]()
    with pytest.raises(UnreadableFile):
        _reread(tmp_path, name, content[: int(part * len(content))])


@pytest.mark.parametrize("name", ["scan.rasx", "scan.xrdml"])
def test_x_ray_scans_come_back_with_counts_attenuators_and_time(name: str, tmp_path: Path) -> None:
    found = _reread(tmp_path, name, ALL[name]())
    (scan,) = found.scans
    assert scan.columns["two_theta_deg"] == pytest.approx(SCAN.two_theta_deg, abs=1e-9)
    assert np.array_equal(scan.columns["detected_counts"], SCAN.detected_counts)
    assert np.array_equal(scan.columns["attenuation_factor"], SCAN.attenuation_factor)
    rate = SCAN.detected_counts * SCAN.attenuation_factor / 2.0
    assert scan.columns["intensity_counts_per_s"] == pytest.approx(rate, rel=1e-6)
    assert (found.technique, found.sample, found.operator) == ("xrr", HEADER.sample, HEADER.operator)
    assert found.acquired_at is not None
    assert found.acquired_at.replace(tzinfo=None) == HEADER.started_at


def test_a_rasx_has_the_instruments_layout_and_honest_checksums() -> None:
    with zipfile.ZipFile(io.BytesIO(rasx.write([SCAN, SCAN], HEADER))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "Data0/Profile0.txt", "Data0/MesurementConditions0.xml",
            "Data1/Profile1.txt", "Data1/MesurementConditions1.xml", "root.xml",
        ]  # fmt: skip
        root = ElementTree.fromstring(archive.read("root.xml"))
        for entry in root.iter("ContentHashList"):
            content = archive.read(f"Data{entry.get('Name', '')[-5]}/{entry.get('Name')}").removeprefix(b"\xef\xbb\xbf")
            assert hashlib.md5(content, usedforsecurity=False).hexdigest() == entry.get("ContentHash")
        conditions = ElementTree.fromstring(archive.read("Data0/MesurementConditions0.xml"))
        assert conditions.findtext("ScanInformation/DataCount") == "271"
        assert float(conditions.findtext("ScanInformation/Speed", "")) == pytest.approx(60 * 0.01 / 2.0)
        profile = np.loadtxt(io.StringIO(archive.read("Data1/Profile1.txt").decode("utf-8-sig")))
    assert np.array_equal(profile[:, 1], SCAN.detected_counts)
    assert np.array_equal(profile[:, 2], SCAN.attenuation_factor)


def test_an_xrdml_holds_intensities_that_are_multiplied_already() -> None:
    root = ElementTree.fromstring(xrdml.write([SCAN], HEADER))
    space = {"x": "http://www.xrdml.com/XRDMeasurement/1.3"}
    data = root.find(".//x:dataPoints", space)
    assert data is not None
    intensities = np.array(data.findtext("x:intensities", "", space).split(), dtype=float)
    assert np.array_equal(intensities, SCAN.detected_counts * SCAN.attenuation_factor)
    assert float(data.findtext("x:positions/x:startPosition", "", space)) == pytest.approx(0.3)


@pytest.mark.parametrize(("name", "bits"), [("image.000", 16), ("image.spm", 32)])
def test_nanoscope_heights_come_back_within_half_a_level(name: str, bits: int, tmp_path: Path) -> None:
    found = _reread(tmp_path, name, ALL[name]())
    (channel,) = found.channels
    assert channel.quantity == "height_nm"
    level_nm = 2.02 * np.abs(HEIGHT.values).max() / 2**bits
    assert np.abs(channel.values - HEIGHT.values).max() < 0.501 * level_nm
    assert (channel.pixel_size_x_nm, channel.pixel_size_y_nm) == pytest.approx((2000 / 48, 2000 / 48))
    assert (found.technique, found.acquired_at) == ("afm", HEADER.started_at)


@pytest.mark.parametrize(("name", "kind"), [("image.000", "<i2"), ("image.spm", "<i4")])
def test_nanoscope_files_follow_the_rules_of_other_readers(name: str, kind: str) -> None:
    """Hard value = raw * (V/LSB) and physical value = that times the sensitivity that the Z scale names."""
    content = ALL[name]()
    header = content[: content.index(b"\\*File list end")].decode("latin-1")
    assert "\r\n" in header
    assert int(re.search(r"\\Data length: (\d+)", header)[1]) == 40960
    image = header.split("\\*Ciao image list")[1]
    offset, length, rows, columns = (
        int(re.search(rf"\\{key}: (\d+)", image)[1])
        for key in ("Data offset", "Data length", "Number of lines", "Samps/line")
    )
    assert offset + length == len(content)
    named, per_level = re.search(r"@2:Z scale: V \[(.*?)\] \(([\d.e+-]+) V/LSB\)", image).groups()
    sensitivity = float(re.search(rf"\\@{re.escape(named)}: V ([\d.]+) nm/V", header)[1])
    raw = np.frombuffer(content, dtype=kind, offset=offset).reshape(rows, columns)
    assert np.abs(raw).max() > 0.9 * np.iinfo(raw.dtype).max
    heights = raw[::-1] * float(per_level) * sensitivity
    assert heights == pytest.approx(HEIGHT.values, abs=1e-3)


def test_an_ibw_comes_back_with_its_potential_in_volts(tmp_path: Path) -> None:
    found = _reread(tmp_path, "map.ibw", ALL["map.ibw"]())
    by_quantity = {c.quantity: c for c in found.channels}
    assert by_quantity["potential_v"].values == pytest.approx(POTENTIAL.values, abs=1e-7)
    assert by_quantity["height_nm"].values == pytest.approx(HEIGHT.values, abs=1e-6)
    assert by_quantity["height_nm"].pixel_size_x_nm == pytest.approx(1000.0 / 48)
    assert (found.technique, found.acquired_at) == ("kpfm", HEADER.started_at)


def test_igor2_reads_an_ibw_with_asylums_axes_labels_and_note() -> None:
    wave = binarywave.load(io.BytesIO(ALL["map.ibw"]()))["wave"]
    assert wave["wData"].shape == (48, 32, 2)
    # Igor's y axis points up
    assert wave["wData"][:, :, 1].T[::-1] == pytest.approx(POTENTIAL.values, abs=1e-7)
    assert wave["wData"][:, :, 0].T[::-1] * 1e9 == pytest.approx(HEIGHT.values, abs=1e-6)
    assert wave["labels"][2] == [b"", b"HeightRetrace", b"NapPotentialRetrace"]
    assert wave["wave_header"]["bname"] == b"SIM0001"
    assert wave["wave_header"]["sfA"][0] == pytest.approx(1e-6 / 47)
    note = dict(line.split(": ", 1) for line in wave["note"].decode("latin-1").split("\r") if line)
    assert float(note["FastScanSize"]) == pytest.approx(1e-6)
    assert float(note["SlowScanSize"]) == pytest.approx(1e-6 * 32 / 48)
    assert note["ImageNote"] == "simulated, not measured"


def test_an_ibws_checksum_closes_as_igor_wants_it() -> None:
    words = struct.unpack("<192h", ALL["map.ibw"]()[:384])
    assert sum(words) % 2**16 == 0


def test_multivu_bridges_come_back_in_ohm_and_tesla(tmp_path: Path) -> None:
    found = _reread(tmp_path, "loop.dat", _multivu())
    assert [scan.settings["channel"] for scan in found.scans] == ["bridge1", "bridge2"]
    assert [scan.settings["label"] for scan in found.scans] == ["vdp_a", "hall"]
    for scan, bridge in zip(found.scans, _bridges(), strict=True):
        assert scan.columns["field_t"] == pytest.approx(LOOP, abs=1e-8)
        assert scan.columns["resistance_ohm"] == pytest.approx(bridge.resistance_ohm, rel=1e-9)
        assert scan.columns["resistance_ohm_std"] == pytest.approx(np.full(37, bridge.std_ohm))
        assert scan.columns["excitation_a"] == pytest.approx(np.full(37, 1e-5))
        assert scan.columns["temperature_k"] == pytest.approx(np.full(37, 1.8))
    assert (found.technique, found.acquired_at) == ("transport", HEADER.started_at)


def test_pandas_reads_a_multivu_table_below_data() -> None:
    text = _multivu().decode("latin-1")
    table = pd.read_csv(io.StringIO(text.split("[Data]")[1]))
    assert len(table) == 37
    assert table["Magnetic Field (Oe)"].to_numpy() == pytest.approx(LOOP * 1e4, abs=1e-3)
    assert table["Bridge 2 Resistance (Ohms)"].to_numpy() == pytest.approx(3.0 - 0.33 * LOOP, rel=1e-9)
    assert table["Bridge 3 Resistance (Ohms)"].isna().all()
