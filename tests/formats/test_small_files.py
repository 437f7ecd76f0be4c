"""Every format from small whole files: units, attenuators, counting times, axes, techniques."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import gwyfile
import numpy as np
import pytest
import small_files as small
from igor2 import binarywave

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import FORMATS, read
from rutile_assets.formats.describe import describe
from rutile_assets.formats.electrical import unit_named
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.formats.xray import axis_kind
from rutile_assets.units import unit_of


def _read(folder: Path, name: str, content: bytes, declared: Mapping[str, object] | None = None) -> Measurement:
    path = folder / "stored-under-its-hash"
    path.write_bytes(content)
    return read(Source(path, name, declared or {}))


@pytest.mark.parametrize("name", small.SMALL)
def test_every_column_says_its_unit_and_every_file_can_be_described(tmp_path: Path, name: str) -> None:
    measurement = _read(tmp_path, name, small.SMALL[name])
    assert measurement.format in {f.name for f in FORMATS}
    for scan in measurement.scans:
        assert {len(column) for column in scan.columns.values()} == {scan.points}
        assert [c for c in scan.columns if unit_of(c) is None and c != "reading"] == []  # its unit: settings
    for channel in measurement.channels:
        assert unit_of(channel.quantity) is not None
        assert np.isfinite(channel.values).all()
    text = "\n".join(describe(measurement))
    assert measurement.format in text
    assert all(note in text for note in measurement.notes)


@pytest.mark.parametrize("name", small.SMALL)
def test_the_ending_of_a_name_does_not_decide(tmp_path: Path, name: str) -> None:
    assert _read(tmp_path, "unnamed", small.SMALL[name]).format == _read(tmp_path, name, small.SMALL[name]).format


def test_rasx_profiles_come_in_the_order_of_their_numbers_and_make_a_map(tmp_path: Path) -> None:
    profiles = [[(1.0 + i, 10.0 * i, 1.0), (1.5 + i, 1.0, 1.0)] for i in range(12)]
    measurement = _read(tmp_path, "m.rasx", small.rasx(profiles, axis="TwoTheta"))
    assert [scan.settings["omega_deg"] for scan in measurement.scans] == pytest.approx([0.1 * i for i in range(12)])
    assert [scan.columns["two_theta_deg"][0] for scan in measurement.scans] == [1.0 + i for i in range(12)]
    assert measurement.technique == "rsm"


def test_rigaku_attenuation_multiplies_detected_counts_and_time_divides(tmp_path: Path) -> None:
    (scan,) = _read(tmp_path, "a.ras", small.ras()).scans
    assert list(scan.columns["detected_counts"]) == [400, 100, 25]
    assert list(scan.columns["attenuation_factor"]) == [1, 1, 10]
    assert list(scan.columns["counting_time_s"]) == [2, 2, 2]
    assert list(scan.columns["intensity_counts_per_s"]) == [200, 50, 125]


def test_rasx_counting_time_is_step_over_speed(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.rasx", small.rasx())
    assert measurement.scans[0].columns["counting_time_s"] == pytest.approx(0.6)
    assert measurement.scans[0].columns["intensity_counts_per_s"] == pytest.approx(np.array(small.COUNTS) / 0.6)
    assert measurement.technique == "xrr"
    assert measurement.acquired_at == datetime(2025, 3, 14, 10, 20, tzinfo=UTC)


def test_counts_that_are_not_whole_give_no_detected_counts(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.rasx", small.rasx([[(1.0, 4.5, 1.0), (2.0, 3.0, 1.0)]]))
    assert "detected_counts" not in measurement.scans[0].columns
    assert any("not whole" in note for note in measurement.notes)


def test_a_rasx_changed_after_the_measurement_says_so(tmp_path: Path) -> None:
    content = small.rasx()
    signed = b'<Root><Data0><ContentHashList Name="Profile0.txt" ContentHash="%s" /></Data0></Root>'
    rows = "".join(f"{a:.4f}\t{c:g}\t1\r\n" for a, c in zip(small.TWO_THETA, small.COUNTS, strict=True)).encode()
    for digest, changed in ((hashlib.md5(rows, usedforsecurity=False).hexdigest(), False), ("0" * 32, True)):
        notes = _read(tmp_path, "a.rasx", _with_root(content, signed % digest.encode())).notes
        assert any("changed after the measurement" in note for note in notes) is changed


def _with_root(content: bytes, root: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(sink, "w") as new:
        for name in old.namelist():
            new.writestr(name, root if name == "root.xml" else old.read(name))
    return sink.getvalue()


def test_xrdml_intensities_are_multiplied_already_and_counts_are_not(tmp_path: Path) -> None:
    (done,) = _read(tmp_path, "a.xrdml", small.xrdml()).scans
    assert list(done.columns["detected_counts"]) == [100, 2, 3, 2]
    assert list(done.columns["intensity_counts_per_s"]) == [7400, 148, 1.5, 1]
    (raw,) = _read(tmp_path, "a.xrdml", small.xrdml("100 2 3 2", tag="counts")).scans
    assert list(raw.columns["detected_counts"]) == [100, 2, 3, 2]
    assert list(raw.columns["intensity_counts_per_s"]) == [7400, 148, 1.5, 1]


def test_xrdml_with_a_fractional_factor_still_gives_back_whole_counts(tmp_path: Path) -> None:
    (scan,) = _read(tmp_path, "a.xrdml", small.xrdml("13132 263 3 2", "131.32 131.32 1 1")).scans
    assert list(scan.columns["detected_counts"]) == [100, 2, 3, 2]


def test_xrdml_factors_that_contradict_the_counts_are_said(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.xrdml", small.xrdml("14850 296 3 2"))
    assert "detected_counts" not in measurement.scans[0].columns
    assert any("not whole multiples" in note for note in measurement.notes)


def test_xrdml_raw_counts_with_a_programmable_slit_are_refused(tmp_path: Path) -> None:
    content = small.xrdml(tag="counts", extra="<commonDivergenceCorrection>1.1</commonDivergenceCorrection>")
    with pytest.raises(UnreadableFile, match="divergence"):
        _read(tmp_path, "a.xrdml", content)


def test_bz2_holds_the_same_as_the_plain_file(tmp_path: Path) -> None:
    plain, packed = (_read(tmp_path, n, small.SMALL[n]) for n in ("a.xrdml", "a.xrdml.bz2"))
    for name, column in plain.scans[0].columns.items():
        assert (packed.scans[0].columns[name] == column).all()


@pytest.mark.parametrize(
    ("first", "last", "axis", "technique"),
    [
        (0.2, 8.0, "2Theta-Omega", "xrr"),
        (0.2, 12.0, "Gonio", "xrr"),
        (0.2, 20.0, "Omega-2Theta", None),
        (0.2, 80.0, "2Theta-Omega", "xrd"),
        (20.0, 80.0, "2Theta-Omega", "xrd"),
        (0.2, 8.0, "2Theta", "xrd"),
    ],
)
def test_angles_and_axis_tell_reflectivity_from_diffraction(
    tmp_path: Path, first: float, last: float, axis: str, technique: str | None
) -> None:
    content = small.xrdml(axis=axis).replace(b">0.2<", b">%g<" % first).replace(b">0.8<", b">%g<" % last)
    assert _read(tmp_path, "a.xrdml", content).technique == technique


def test_names_of_the_coupled_axis() -> None:
    for name in ("2Theta-Omega", "Omega-2Theta", "Gonio", "TwoThetaOmega", "TwoThetaTheta", "2theta/theta", "2θ/θ"):
        assert axis_kind(name) == "coupled"
    assert [axis_kind(n) for n in ("TwoTheta", "Omega", "Chi", None)] == ["detector", "rocking", "other", ""]


@pytest.mark.parametrize(
    ("version", "said", "stored"), [("0x09400103", 4, 4), ("0x08150300", 2, 2), ("0x09200000", 2, 4)]
)
def test_nanoscope_height_in_two_or_four_bytes(tmp_path: Path, version: str, said: int, stored: int) -> None:
    # 65.536 V over 2**16 steps at 10 nm/V is 0.01 nm a step; over 2**32 steps it is 65536 times less
    content = small.nanoscope(version=version, said_bytes=said, stored_bytes=stored, scan_size="1 1.5 ~m")
    measurement = _read(tmp_path, "a.spm", content)
    (height,) = measurement.channels
    step = 0.01 / 65536 ** (said // 2 - 1)
    assert measurement.technique == "afm"
    assert height.values == pytest.approx((np.arange(12).reshape(3, 4)[::-1] - 6) * step)
    assert (height.pixel_size_x_nm, height.pixel_size_y_nm) == (250.0, 500.0)
    assert any("not square" in note for note in measurement.notes)
    assert measurement.acquired_at == datetime(2016, 6, 22, 11, 43, 26)


def test_nanoscope_four_byte_numbers_under_a_two_byte_claim_are_refused(tmp_path: Path) -> None:
    layers = [("Height", np.full((2, 2), 2**20), "65.536 V", "ZsensSens")]
    with pytest.raises(UnreadableFile, match="beyond 2 bytes"):
        _read(tmp_path, "a.spm", small.nanoscope(layers, said_bytes=2))


def test_nanoscope_potential_makes_kpfm_and_keeps_its_unit(tmp_path: Path) -> None:
    raw = np.full((2, 2), 2**14)
    layers = [("Height", raw, "1 V", "ZsensSens"), ("Potential", raw, "4 V", "Potential"), ("Phase", raw, "180 º", "")]
    measurement = _read(tmp_path, "a.spm", small.nanoscope(layers, said_bytes=2, stored_bytes=2))
    quantities = {c.quantity: (float(c.values[0, 0]), c.unit) for c in measurement.channels}
    assert measurement.technique == "kpfm"
    assert quantities["potential_v"] == (pytest.approx(1.0), "mV")
    assert quantities["phase_deg"] == (pytest.approx(45.0), "º")


def test_nanoscope_sensitivity_that_stands_twice_is_asked_for(tmp_path: Path) -> None:
    twice = {"\\*Ciao scan list": "\\@Sens. Potential: V 100.0 mV/V\r\n\\*Ciao scan list"}
    layers = [("Potential", np.full((2, 2), 2**14), "4 V", "Potential")]
    content = small.nanoscope(layers, said_bytes=2, stored_bytes=2, changes=twice)
    with pytest.raises(UnreadableFile, match="2 values of Sens"):
        _read(tmp_path, "a.spm", content)
    declared = {"sensitivities": {"Sens. Potential": "100 mV/V"}}
    (channel,) = _read(tmp_path, "a.spm", content, declared).channels
    assert channel.values == pytest.approx(0.1)


def test_nanoscope_layers_of_one_name_are_told_apart_by_direction(tmp_path: Path) -> None:
    layers = [("Height", np.zeros((2, 2)), "1 V", "ZsensSens")] * 2
    content = small.nanoscope(layers).replace(b"Direction: Trace", b"Direction: Other", 1)
    assert [c.label for c in _read(tmp_path, "a.spm", content).channels] == ["Height [Other]", "Height [Trace]"]


def test_igor_wave_is_upright_in_nm_and_volt(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.ibw", small.ibw())
    height, potential = measurement.channels
    assert measurement.technique == "kpfm"
    assert (height.quantity, potential.quantity) == ("height_nm", "potential_v")
    assert height.values == pytest.approx(np.arange(12.0).reshape(3, 4))
    assert potential.values == pytest.approx(np.arange(12.0).reshape(3, 4))
    assert (height.pixel_size_x_nm, height.pixel_size_y_nm) == pytest.approx((1000.0, 1000.0))
    assert measurement.settings["nap_mode"] == "Nap"
    assert "bias_on" not in measurement.settings


@pytest.mark.parametrize(
    ("label", "quantity"),
    [
        ("NapPotentialRetrace", "potential_v"),
        ("PotentialTrace", "potential_v"),
        ("SurfacePotentialRetrace", "potential_v"),
        ("UserIn0Retrace", "user_in0_v"),
        ("HeightTracee", "height_nm"),
        ("ZSensorRetrace", "height_nm"),
        ("NapPhaseRetrace", "nap_phase_deg"),
        ("Amplitude1Retrace", "amplitude1_nm"),
        ("QuiteNewRetrace", "quite_new"),
    ],
)
def test_igor_channels_are_named_after_their_labels(tmp_path: Path, label: str, quantity: str) -> None:
    (channel,) = _read(tmp_path, "a.ibw", small.ibw({label: np.zeros((2, 2))})).channels
    assert (channel.label, channel.quantity) == (label, quantity)


@pytest.mark.parametrize(
    ("unit", "title", "quantity", "factor"),
    [
        ("mV", "CPD", "potential_v", 1e-3),
        ("V", "Surface Potential", "potential_v", 1.0),
        ("V", "ADC3", "adc3_v", 1.0),
        ("", "CPD", "cpd", 1.0),
        ("m", "Topography", "height_nm", 1e9),
        ("nm", "Height", "height_nm", 1.0),
        ("µm", "Amplitude", "amplitude_nm", 1e3),
        ("deg", "Phase", "phase_deg", 1.0),
        ("eV/T", "odd", "odd", 1.0),
    ],
)
def test_gwyddion_units_are_the_files_own(tmp_path: Path, unit: str, title: str, quantity: str, factor: float) -> None:
    measurement = _read(tmp_path, "a.gwy", small.gwy(unit, title))
    (channel,) = measurement.channels
    assert (channel.quantity, channel.unit) == (quantity, unit or None)
    assert channel.values == pytest.approx(np.arange(12.0).reshape(3, 4) * factor)
    assert (channel.pixel_size_x_nm, channel.pixel_size_y_nm) == pytest.approx((1000.0, 1000.0))
    assert measurement.technique == {"potential_v": "kpfm", "height_nm": "afm"}.get(quantity)


def test_igor_wave_agrees_with_igor2(tmp_path: Path) -> None:
    content = small.ibw()
    theirs = binarywave.load(io.BytesIO(content))["wave"]
    channels = _read(tmp_path, "a.ibw", content).channels
    assert [c.label.encode() for c in channels] == theirs["labels"][2][1:]
    assert channels[1].values == pytest.approx(np.flipud(theirs["wData"][:, :, 1].T))


def test_gwyddion_agrees_with_gwyfile(tmp_path: Path) -> None:
    content = small.gwy()
    theirs = gwyfile.objects.GwyObject.frombuffer(content[4:])["/0/data"].data
    assert _read(tmp_path, "a.gwy", content).channels[0].values == pytest.approx(theirs * 1e-3)


def test_multivu_resistivity_by_bridge_with_the_operators_units_and_labels(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "r.dat", small.multivu_resistivity())
    one, two = measurement.scans
    assert (one.settings["channel"], one.settings["label"], two.settings["label"]) == ("bridge1", "TMR", "Hall")
    assert list(one.columns["field_t"]) == [-1.0, 0.5]
    assert list(one.columns["resistance_ohm"]) == [0.4665, 0.5]
    assert list(one.columns["resistance_ohm_std"]) == [0.0141, 0.01]
    assert one.columns["excitation_a"] == pytest.approx(19.98e-6)
    assert list(two.columns["field_t"]) == [1.0]
    assert two.columns["resistivity_ohm_nm"] == pytest.approx(2e3)
    assert two.columns["resistance_ohm_std"] == pytest.approx(0.2222 * 1e-8 / 2e-6)
    assert measurement.acquired_at == datetime(2024, 12, 18, 10, 42)
    assert measurement.settings["comments"] == ["field, then temperature"]


def test_multivu_eto_channels(tmp_path: Path) -> None:
    one, two = _read(tmp_path, "e.dat", small.multivu_eto()).scans
    assert one.columns["resistance_ohm"] == pytest.approx(101.5)
    assert one.columns["resistance_ohm_std"] == pytest.approx(0.01)
    assert one.columns["excitation_a"] == pytest.approx(5e-4)
    assert one.columns["field_t"] == pytest.approx(9.0)
    assert two.columns["resistance_ohm"] == pytest.approx(7.25)
    assert "phase_deg" not in two.columns or np.isnan(two.columns["phase_deg"]).all()


def test_multivu_unknown_unit_is_asked_for(tmp_path: Path) -> None:
    content = small.multivu_resistivity(units=("Ohm", "furlongs"))
    with pytest.raises(UnreadableFile, match=r"furlongs.*units: .'Bridge 1 Resistance': "):
        _read(tmp_path, "r.dat", content)
    scans = _read(tmp_path, "r.dat", content, {"units": {"Bridge 1 Resistance": "mOhm"}}).scans
    assert scans[0].columns["resistance_ohm"] == pytest.approx([0.4665e-3, 0.5e-3])


@pytest.mark.parametrize(
    "last",
    [
        ",30423400.59,4369,2.0005,5.0E+003,0,0.5,19.98,,,0.0",  # a row that stops
        ",30423400.59,4369,2.0005,5.0E+003,0,0.5E,19.98,,,0.01,,25,0.5,,",  # a number that stops
        ",30423400.59,4369,2.0005,5.0E+003,0,0.5,19.98,,,0.01,,25,0.5,,,,,,,7",  # too many
    ],
)
def test_multivu_with_a_broken_last_line_is_no_value(tmp_path: Path, last: str) -> None:
    with pytest.raises(UnreadableFile):
        _read(tmp_path, "r.dat", small.multivu_resistivity(last=last))


def test_multivu_cut_in_the_middle_of_the_last_number(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="line end"):
        _read(tmp_path, "e.dat", small.multivu_eto()[:-3])


def test_multivu_of_another_option_is_refused(tmp_path: Path) -> None:
    content = b"[Header]\nBYAPP,HeatCapacity,1.0\n[Data]\nTime Stamp (sec),Temperature (K)\n1,2\n"
    with pytest.raises(UnreadableFile, match=r"HeatCapacity.*without a resistance"):
        _read(tmp_path, "h.dat", content)


def test_source_meter_header_declares_units(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "s.txt", small.source_text())
    (scan,) = measurement.scans
    assert {name: list(column) for name, column in scan.columns.items()} == {
        "temperature_k": [300.0, 5.0],
        "field_t": [1.0, -1.0],
        "source_a": pytest.approx([5e-6, -5e-6]),
        "sense_v": pytest.approx([5e-4, -2.5e-4]),
        "configuration_index": [0.0, 3.0],
    }
    assert measurement.technique == "transport"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["temperature_k"], "1 columns declared"),
        (["temperature_k", "field_x", "source_a", "sense_v", None], "field_x"),
        (["temperature_k", "field_oe", "sense_v", "sense_mv", None], "twice"),
        (["temperature_k", "configuration_index", "source_a", "sense_mv", None], None),
        ("temperature_k", "0 columns declared"),
    ],
)
def test_source_meter_sidecar_is_checked(tmp_path: Path, columns: object, words: str | None) -> None:
    if words is None:
        assert "field_t" not in _read(tmp_path, "s.txt", small.source_text(), {"columns": columns}).scans[0].columns
        return
    with pytest.raises(UnreadableFile, match=words):
        _read(tmp_path, "s.txt", small.source_text(), {"columns": columns})


def test_units_of_operators() -> None:
    spelled = {
        "Ohm-cm": 1e7,
        "mOhm*cm": 1e4,
        "uΩ·cm": 10.0,
        "kOe": 0.1,
        "mT": 1e-3,
        "OHMS": 1.0,
        "MOhm": 1e6,
        "nV": 1e-9,
    }
    for text, factor in spelled.items():
        unit = unit_named(text)
        assert unit is not None
        assert unit.factor == pytest.approx(factor)
    assert [unit_named(text) for text in ("", None, "furlong", "V-cm", "xK")] == [None] * 5


def test_text_with_a_title_of_the_coupled_axis_is_reflectivity(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.xy", small.xy())
    assert measurement.technique == "xrr"
    assert _read(tmp_path, "a.xy", small.xy().replace(b"2Theta Omega", b"2Theta")).technique is None
    assert list(measurement.scans[0].columns["detected_counts"]) == [400, 100, 25]


def test_text_takes_its_counting_time_from_the_sidecar(tmp_path: Path) -> None:
    (scan,) = _read(tmp_path, "a.xy", small.xy(), {"counting_time_s": 2}).scans
    assert list(scan.columns["intensity_counts_per_s"]) == [200, 50, 12.5]


def test_three_columns_without_titles_are_not_guessed(tmp_path: Path) -> None:
    content = b"0.5 400 1\n0.6 100 10\n"
    with pytest.raises(UnreadableFile, match="third column"):
        _read(tmp_path, "a.xy", content)
    declared = {"columns": ["two_theta_deg", "intensity_counts", "attenuation_factor"]}
    (scan,) = _read(tmp_path, "a.xy", content, declared).scans
    assert list(scan.columns["intensity_counts_per_s"]) == [400, 1000]


@pytest.mark.parametrize(
    "content",
    [
        b"0.5 400\n0.6 100\n0.7 2",  # cut in a number
        b"0.5 400\n0.6 100\n0.7\n",  # cut in a row
        b"0.5 400\n0.6 100\n0.6 100\n",  # stands still
        b"0.5 400\nnan 3\n",
        b"0.5 400\n0.6 1e999\n",
        b"0.5 400\n0.6 1_0\n",
        b"one line of words\n",
        b"0.5 400\n0.6 100\nEnd of file\n",
    ],
)
def test_text_that_is_no_whole_scan_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFile):
        _read(tmp_path, "a.xy", content)


def test_two_column_transport_text_needs_titles_or_a_sidecar(tmp_path: Path) -> None:
    declared = {"columns": ["temperature_k", "resistance_ohm"]}
    (scan,) = _read(tmp_path, "rt.txt", b"300 10.5\n200 9.5\n", declared).scans
    assert list(scan.columns["resistance_ohm"]) == [10.5, 9.5]
    titled = b"Temperature (K), Resistance (kOhm)\n300, 10.5\n200, 9.5\n"
    assert list(_read(tmp_path, "rt.txt", titled).scans[0].columns["resistance_ohm"]) == [10500, 9500]
