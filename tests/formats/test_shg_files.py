"""Second harmonic text: the real files, headers, sidecars, what it must not take, and any bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import read, recognise
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.techniques.shg.harmonics import azimuth_harmonics

HEADER = b"# SHG azimuth scan\n# angle_of_incidence_deg: 45\n# wavelength_nm: 800\n# background_counts: 3\n"
WIDE = (
    HEADER
    + b"# counts: true\nazimuth_deg,pp,ps,sp,ss,reference\n0,10,20,30,4,1.0\n5,11,21,31,5,1.1\n10,12,22,32,6,0.9\n"
)


def _read(folder: Path, name: str, content: bytes, declared: Mapping[str, object] | None = None) -> Measurement:
    path = folder / "file"
    path.write_bytes(content)
    return read(Source(path, name, declared or {}))


@pytest.mark.parametrize(
    ("name", "amplitudes"),
    [
        ("PP", [0.850, 0.025, 0.433, 0.076, 0.787, 0.119, 0.380]),
        ("SP", [0.459, 0.028, 0.384, 0.040, 0.293, 0.053, 0.377]),
    ],
)
def test_real_files_have_the_manifests_numbers(realdata: Path, name: str, amplitudes: list[float]) -> None:
    path = realdata / "shg" / f"shgpy_data{name}.csv"
    measurement = read(Source(path, f"shg/{path.name}", {"polarization": name.lower()}))
    (scan,) = measurement.scans
    azimuth, intensity = scan.columns["azimuth_deg"], scan.columns["relative_intensity_ratio"]
    assert measurement.technique == "shg"
    assert (scan.points, scan.settings["channel"], measurement.settings["counts"]) == (60, name.lower(), False)
    assert (azimuth[0], azimuth[-1]) == (0.0, 360.0)
    assert np.diff(azimuth) == pytest.approx(6.1017, abs=1e-4)
    assert intensity[0] != intensity[-1]
    assert intensity.min() == 0.0
    found = azimuth_harmonics(azimuth, intensity, 6)
    assert found.amplitudes == pytest.approx(amplitudes, abs=0.001)
    assert 0.04 < found.residual_std < 0.065
    assert recognise(Source(path, path.name)).name != "shg-text"
    assert recognise(Source(path, path.name, {"technique": "shg"})).name == "shg-text"
    assert any("polarisation" in note for note in read(Source(path, f"shg/{path.name}")).notes)


def test_wide_text_with_its_header(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.csv", WIDE)
    assert [scan.settings["channel"] for scan in measurement.scans] == ["pp", "ps", "sp", "ss"]
    assert measurement.settings["angle_of_incidence_deg"] == 45.0
    assert measurement.settings["background_counts"] == 3.0
    assert measurement.scans[1].columns["intensity_counts"].tolist() == [20.0, 21.0, 22.0]
    assert measurement.scans[1].columns["reference_ratio"].mean() == pytest.approx(1.0)
    strange = _read(tmp_path, "a.csv", WIDE.replace(b"ps,", b"qs,"))
    assert (len(strange.scans), strange.notes) == (3, ("Columns left out: qs.",))
    turned = _read(tmp_path, "a.csv", WIDE, {"channel_order": "output first"})
    assert turned.scans[1].columns["intensity_counts"].tolist() == [30.0, 31.0, 32.0]


def test_polarimetry_and_declared_columns(tmp_path: Path) -> None:
    content = b"polarizer (deg)\tanalyzer (deg)\tcounts\n0\t0\t5\n10\t0\t6\n20\t0\t7\n"
    scan = _read(tmp_path, "a.txt", content, {"azimuth_deg": 90}).scans[0]
    assert set(scan.columns) == {"polariser_deg", "analyser_deg", "azimuth_deg", "intensity_counts"}
    columns = {"columns": ["azimuth_deg", None, "ss"], "counts": True}
    scan = _read(tmp_path, "a.txt", b"0 7 1\n10 7 2\n20 7 3\n", columns).scans[0]
    assert scan.settings["channel"] == "ss"
    part = _read(tmp_path, "shg/a.txt", b"0 1.5\n10 2\n20 3\n", {"counts": True})
    assert part.settings["counts"] is False


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("xrd/a.xy", b"# 2Theta Omega\tIntensity (counts)\n0.5\t400\n0.6\t100\n0.7\t25\n"),
        ("shg/a.xy", b"# 2Theta Omega\tIntensity (counts)\n0.5\t400\n0.6\t100\n0.7\t25\n"),
        ("a.xy", b"0.5\t400\n0.6\t100\n0.7\t25\n"),
        ("shg/s.txt", b"Temperature (K)\tField (kOe)\tSource (uA)\tSense (mV)\n300\t10\t5\t0.5\n"),
    ],
)
def test_text_of_other_techniques_is_left_alone(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert recognise(Source(path, name)).name != "shg-text"


@pytest.mark.parametrize(
    ("content", "declared"),
    [
        (WIDE[:-3], {}),
        (WIDE, {"angle_of_incidence_deg": 95}),
        (WIDE, {"wavelength_nm": "red"}),
        (WIDE, {"background_counts": -1}),
        (WIDE, {"counts": "maybe"}),
        (WIDE, {"columns": ["azimuth_deg", "pp"]}),
        (WIDE.replace(b"10,20", b"-10,20"), {}),
        (WIDE.replace(b",1.1", b",-1.1"), {}),
        (b"0,1\n5,2\n10,3\n", {"polarization": "xx"}),
        (b"0,1\n5,2\n", {}),
        (b"0,1,2\n5,2,2\n10,3,2\n", {}),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, content: bytes, declared: dict[str, object]) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        _read(tmp_path, "shg/a.csv", content, declared)
    assert refusal.value.what_to_do


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_text_gets_a_verdict(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(WIDE)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=8))
    path = tmp_path / "fuzzed"
    path.write_bytes(bytes(content) or b" ")
    with contextlib.suppress(UnreadableFile):
        source = Source(path, "shg/a.csv")
        recognise(source).read(source)
