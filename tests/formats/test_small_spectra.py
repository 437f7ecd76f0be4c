"""Small photoelectron files: every way of writing the axis and the counts, and every promise that a file can break."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import small_spectra as small

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import read
from rutile_assets.formats.measurement import Measurement, Scan, Source


def _read(folder: Path, name: str, content: bytes, declared: Mapping[str, object] | None = None) -> Measurement:
    path = folder / "file"
    path.write_bytes(content)
    return read(Source(path, name, declared or {}))


def _only(measurement: Measurement) -> Scan:
    (scan,) = measurement.scans
    return scan


def _refused(folder: Path, name: str, content: bytes) -> str:
    with pytest.raises(UnreadableFile) as refusal:
        _read(folder, name, content)
    assert "fails on" not in str(refusal.value)
    return str(refusal.value)


def test_a_vamas_block_gives_counts_time_and_what_the_room_asks_for(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.vms", small.vamas())
    scan = _only(measurement)
    assert scan.columns["kinetic_energy_ev"] == pytest.approx([10.0, 10.5, 11.0, 11.5], abs=0)
    assert list(scan.columns["detected_counts"]) == small.COUNTS
    assert scan.columns["counting_time_s"] == pytest.approx([0.2] * 4)  # dwell times two scans
    assert scan.columns["intensity_counts_per_s"] == pytest.approx([2000, 500, 125, 4500])
    wanted = {"region": "VB", "photon_energy_ev": 21.218, "bias_v": -5.0, "analyser_work_function_ev": 4.4}
    wanted |= {"pass_energy_ev": 2.0, "step_ev": 0.5, "analysis_method": "UPS", "dwell_s": 0.1, "sweep_count": 2}
    assert {key: scan.settings[key] for key in wanted} == wanted
    assert {key: measurement.settings[key] for key in ("photon_energy_ev", "bias_v")} == {
        "photon_energy_ev": 21.218,
        "bias_v": -5.0,
    }
    assert (measurement.technique, measurement.sample, measurement.operator) == ("ups", "a film", "A. Person")


def test_regions_that_differ_in_bias_leave_it_to_the_regions(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.vms", small.SPECTRA["a.vms"])
    assert "bias_v" not in measurement.settings
    assert [scan.settings["bias_v"] for scan in measurement.scans] == [-5.0, 0.0]
    assert [scan.settings["region"] for scan in measurement.scans] == ["VB", "Au Fermi"]


def test_an_irregular_vamas_block_has_its_axis_among_the_values(tmp_path: Path) -> None:
    scan = _only(_read(tmp_path, "a.vms", small.vamas_irregular()))
    assert list(scan.columns["binding_energy_ev"]) == [12.0, 11.0, 9.0]
    assert list(scan.columns["detected_counts"]) == [7.0, 9.0, 8.0]


def test_a_falling_binding_axis_and_a_rate_stay_as_the_file_has_them(tmp_path: Path) -> None:
    scan = _only(_read(tmp_path, "a.npl", small.SPECTRA["a.npl"]))
    assert list(scan.columns["binding_energy_ev"]) == [5.0, 4.5, 4.0, 3.5]
    assert scan.settings["step_ev"] == -0.5
    assert list(scan.columns["intensity_counts_per_s"]) == small.COUNTS
    assert "detected_counts" not in scan.columns  # four whole products may be chance


def test_counts_are_recovered_from_a_rate_only_where_every_product_is_whole(tmp_path: Path) -> None:
    counts = np.random.default_rng(3).poisson(50.0, 40)
    block = small.vamas_block([c / 0.2 for c in counts], variables=("Intensity", "c/s"))
    measurement = _read(tmp_path, "a.vms", small.vamas(block))
    assert list(_only(measurement).columns["detected_counts"]) == list(counts)
    assert any("whole number at every point" in note for note in measurement.notes)
    block = small.vamas_block([(c + 0.3) / 0.2 for c in counts], variables=("Intensity", "c/s"))
    assert "detected_counts" not in _only(_read(tmp_path, "a.vms", small.vamas(block))).columns


def test_transmission_stands_beside_the_counts(tmp_path: Path) -> None:
    block = small.vamas_block((5, 1.5, 6, 1.25), variables=("Intensity", "d", "Transmission", "d"))
    scan = _only(_read(tmp_path, "a.vms", small.vamas(block)))
    assert list(scan.columns["detected_counts"]) == [5.0, 6.0]
    assert list(scan.columns["transmission_factor"]) == [1.5, 1.25]


@pytest.mark.parametrize("mode", ["MAP", "MAPDP", "MAPSV", "MAPSVDP", "NORM", "SDP", "SDPSV", "SEM", "NOEXP"])
def test_every_experiment_mode_has_its_own_lines(tmp_path: Path, mode: str) -> None:
    blocks = [small.vamas_block(mode=mode), small.vamas_block((1, 2, 3), mode=mode, technique="XPS")]
    measurement = _read(tmp_path, "a.vms", small.vamas(*blocks, mode=mode))
    assert [list(scan.columns["detected_counts"]) for scan in measurement.scans] == [small.COUNTS, [1, 2, 3]]
    assert [scan.settings["analysis_method"] for scan in measurement.scans] == ["UPS", "XPS"]
    assert [scan.settings["pass_energy_ev"] for scan in measurement.scans] == [2.0, 2.0]


@pytest.mark.parametrize("exclude", [True, False])
def test_parameters_that_later_blocks_leave_out_are_those_of_the_first(tmp_path: Path, *, exclude: bool) -> None:
    left_out = [1, 2, 3, 7, 8, 12, 14, 26, 31, 32, 35, 40]
    listed = left_out if exclude else [n for n in range(1, 41) if n not in left_out]
    later = small.vamas_block((1, 2, 3, 4), name="second", left_out=left_out, technique="XPS")
    content = small.vamas(small.vamas_block(), later, listed=listed, exclude=exclude)
    scan = _read(tmp_path, "a.vms", content).scans[1]
    assert list(scan.columns["detected_counts"]) == [1, 2, 3, 4]
    assert list(scan.columns["kinetic_energy_ev"]) == [10.0, 10.5, 11.0, 11.5]
    kept = {"photon_energy_ev": 21.218, "bias_v": -5.0, "sweep_count": 2, "source": "He I", "analysis_method": "XPS"}
    assert {key: scan.settings[key] for key in kept} == kept
    assert str(scan.settings["acquired_at"]).startswith("2025-03-14T15:09:26")


def test_unknown_parameters_are_absent_and_points_without_value_left_out(tmp_path: Path) -> None:
    block = small.vamas_block((5, "1E+37", 6, 7), bias="1E+37", sweeps="1E+37")
    measurement = _read(tmp_path, "a.vms", small.vamas(block))
    scan = _only(measurement)
    assert not {"bias_v", "sweep_count"} & set(scan.settings)
    assert list(scan.columns["kinetic_energy_ev"]) == [10.0, 11.0, 11.5]
    assert "1 points without a value are left out." in measurement.notes
    assert "counting_time_s" not in scan.columns


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_vamas_in_other_encodings_reads_the_same(tmp_path: Path, encoding: str) -> None:
    content = small.vamas(small.vamas_block(name="VB 45°")).decode().encode(encoding)
    scan = _only(_read(tmp_path, "a.vms", content))
    assert scan.settings["region"] == "VB 45°"
    assert list(scan.columns["detected_counts"]) == small.COUNTS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (small.vamas(small.vamas_block(promised=10**12)), "no more than lines follow"),
        (small.vamas(small.vamas_block(promised=-4)), "no more than lines follow"),
        (small.vamas(small.vamas_block(promised="4.5")), "whole number"),
        (small.vamas(small.vamas_block(promised=3)), "end of experiment"),
        (small.vamas(small.vamas_block(promised=0)), "as many values"),
        (small.vamas(small.vamas_block((1, "nan", 3))), "'nan'"),
        (small.vamas(small.vamas_block((1, "inf", 3))), "'inf'"),
        (small.vamas(small.vamas_block((1, 1e101, 3))), "too large"),
        (small.vamas(small.vamas_block(axis=("kinetic energy", "eV", "10", "0"))), "step '0'"),
        (small.vamas(small.vamas_block(axis=("kinetic energy", "eV", "10", "1e90"))), "beyond"),
        (small.vamas(small.vamas_block(axis=("time", "s", "10", "1"))), "without a kinetic or binding energy"),
        (small.vamas(small.vamas_block(variables=("Transmission", "d"))), "without an intensity"),
        (small.vamas_irregular((12, 7, 11, 9, 11, 8)), "does not run one way"),
        (small.vamas(scan="MAPPING"), "a MAPPING scan"),
        (small.vamas(mode="MAPX"), "experiment mode"),
        (small.vamas(listed=[41]), "inclusion list"),
        (small.vamas(listed=[0]), "inclusion list"),
        (small.vamas().replace(b"\r\n1\r\nEtch", b"\r\n99999999999\r\nEtch"), "no more than lines follow"),
        (small.vamas().replace(b"1988 May 4", b"1990 May 4"), "first line"),
    ],
)
def test_vamas_that_breaks_a_promise_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in _refused(tmp_path, "a.vms", content)


@pytest.mark.parametrize("name", small.SPECTRA)
@pytest.mark.parametrize("percent", [10, 50, 90])
def test_a_cut_spectrum_is_refused(tmp_path: Path, name: str, percent: int) -> None:
    content = small.SPECTRA[name]
    assert _refused(tmp_path, name, content[: len(content) * percent // 100])


def test_specs_scans_that_stand_apart_are_averaged_as_rates_and_added_as_counts(tmp_path: Path) -> None:
    rates = _only(_read(tmp_path, "a.xy", small.specs_xy(scans=3)))
    assert list(rates.columns["intensity_counts_per_s"]) == [40.0, 41.0, 39.0]
    assert rates.columns["counting_time_s"] == pytest.approx([1.5] * 3)
    counted = _only(_read(tmp_path, "a.xy", small.specs_xy(label="counts", scans=3)))
    assert list(counted.columns["detected_counts"]) == [120.0, 123.0, 117.0]
    assert counted.columns["intensity_counts_per_s"] == pytest.approx([80.0, 82.0, 78.0])


def test_the_detectors_bias_voltage_is_not_the_samples(tmp_path: Path) -> None:
    for name in ("specs.xy", "specs.xml"):
        settings = _only(_read(tmp_path, name, small.SPECTRA[name])).settings
        assert "bias_v" not in settings
        assert settings["detector_bias_v"] in (90.0, 200.0)


def test_specs_axes_are_those_of_the_header(tmp_path: Path) -> None:
    binding = small.specs_xy(("3  1", "2  2", "1  3"), axis="Binding Energy")
    assert list(_only(_read(tmp_path, "a.xy", binding)).columns["binding_energy_ev"]) == [3.0, 2.0, 1.0]
    still = _only(_read(tmp_path, "a.xy", small.specs_xy(mode="ConstantFinalState")))
    assert list(still.columns["photon_energy_ev"]) == [100.0, 101.0, 102.0]
    assert (still.settings["kinetic_energy_ev"], still.settings.get("photon_energy_ev")) == (100.0, None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (small.specs_xy(promised=4), "3 rows"),
        (small.specs_xy(axis="Other"), "energy axis"),
        (small.specs_xy(("100 1", "101 nan", "102 3")), "101 nan"),
        (small.specs_xy(("100 1", "102 2", "101 3")), "one way"),
        (small.specs_xy(export="#   Separate Channel Data:    yes\n"), "one by one"),
        (small.specs_xy(label="I0"), "without rows of counts"),
        (small.specs_xy()[:-1], "line end"),
    ],
)
def test_specs_text_that_breaks_a_promise_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in _refused(tmp_path, "a.xy", content)


def test_a_last_specs_line_cut_behind_its_decimal_point_is_kept_with_a_note(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.xy", small.specs_xy(("100 1", "101 2", "102  39.25"))[:-1])
    assert list(_only(measurement).columns["intensity_counts_per_s"]) == [1.0, 2.0, 39.25]
    assert any("no line end" in note for note in measurement.notes)


def test_channeltrons_are_shifted_by_their_offsets_and_added(tmp_path: Path) -> None:
    """Each channeltron counts the energy that its offset says: a line at one energy must come back as one line."""
    shifts, values, spare, line = (-0.2, -0.1, 0.0, 0.1, 0.2), 9, (2, 2), 12.0
    samples = 10.0 + 0.5 * (np.arange(values + sum(spare)) - spare[0])
    energies = samples[:, None] + 5.0 * np.array(shifts)
    counts = np.where(np.abs(energies - line) < 0.1, 100, 1).astype(int)
    content = small.specs_xml(list(counts.ravel()), shifts=shifts, values=values, spare=spare, scans=3)
    scan = _only(_read(tmp_path, "a.xml", content))
    expected = np.where(np.abs(10.0 + 0.5 * np.arange(values) - line) < 0.1, 1500.0, 15.0)
    assert scan.columns["kinetic_energy_ev"] == pytest.approx(10.0 + 0.5 * np.arange(values))
    assert list(scan.columns["detected_counts"]) == list(expected)
    assert scan.columns["counting_time_s"] == pytest.approx([0.6] * values)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (small.specs_xml([1, 2, 3]), "3 counts"),
        (small.specs_xml(values=10**12, counts=[1]), "values_per_curve"),
        (small.specs_xml(spare=(0, 1)), "spare samples"),
        (small.specs_xml(shifts=[0.0] * 300, counts=[1]), "300 channeltrons"),
        (small.specs_xml(mode="ConstantFinalState"), "no region with counts"),
        (small.specs_xml().replace(b">1\n2\n", b">nan\n2\n"), "'nan'"),
        (small.specs_xml(document_type='<!DOCTYPE any [<!ENTITY a "aaa">]>'), "document type or entities"),
        (small.specs_xml(document_type='<!DOCTYPE any SYSTEM "http://127.0.0.1:9/x.dtd">'), "document type"),
        (small.specs_xml(document_type="<!DOCTYPE any [<!ENTITY % a SYSTEM 'file:///etc/passwd'>%a;]>"), "document"),
        (small.specs_xml(document_type='<!DOCTYPE any [<!ATTLIST any x CDATA "default">]>'), "document type"),
    ],
)
def test_specs_xml_that_breaks_a_promise_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in _refused(tmp_path, "a.xml", content)


def test_ses_slices_are_added_and_an_adc_counts_nothing(tmp_path: Path) -> None:
    counted = _only(_read(tmp_path, "a.txt", small.scienta_txt()))
    assert list(counted.columns["detected_counts"]) == [7.0, 11.0, 15.0]
    assert list(counted.columns["intensity_counts_per_s"]) == [1.75, 2.75, 3.75]
    adc = _only(_read(tmp_path, "a.txt", small.scienta_txt(changes={"DetectorMode": "ADC"})))
    assert "detected_counts" not in adc.columns
    wave = _only(_read(tmp_path, "a.ibw", small.scienta_ibw(np.arange(1.0, 7.0).reshape(3, 2))))
    assert list(wave.columns["binding_energy_ev"]) == [5.0, 4.5, 4.0]
    assert list(wave.columns["detected_counts"]) == [3.0, 7.0, 11.0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (small.scienta_txt(size=4), "3 rows"),
        (small.scienta_txt(name="Pixels", changes={"Energy Scale": ""}), "axis named"),
        (small.scienta_txt(("10 1", "11 nan")), "'nan'"),
        (small.scienta_txt().replace(b"Regions=1", b"Regions=1000000000000"), "sections"),
        (small.scienta_ibw(np.array([1.0, np.nan])), "numbers that are none"),
        (small.scienta_ibw(np.ones((2, 2, 2))), "shape"),
        (small.scienta_ibw(step=0.0), "axis"),
        (small.scienta_ibw(start=np.nan), "axis"),
    ],
)
def test_ses_files_that_break_a_promise_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in _refused(tmp_path, "a.txt", content)


def test_casa_keeps_both_axes_and_takes_the_time_that_the_columns_show(tmp_path: Path) -> None:
    measurement = _read(tmp_path, "a.txt", small.casa_text())
    scan = measurement.scans[0]
    sums = scan.columns["kinetic_energy_ev"] + scan.columns["binding_energy_ev"]
    assert sums == pytest.approx([21.218] * 3, abs=1e-5)
    assert list(scan.columns["detected_counts"]) == [40.0, 42.0, 8.0]
    assert scan.columns["counting_time_s"] == pytest.approx([0.2] * 3)
    longer = small.casa_text().replace(b"Acquisition Time s\t2.0", b"Acquisition Time s\t1.0")
    assert _read(tmp_path, "a.txt", longer).scans[0].columns["counting_time_s"] == pytest.approx([0.2] * 3)
    assert [s.settings["region"] for s in measurement.scans] == ["VB", "Au Fermi"]


def test_casa_tables_with_text_or_missing_columns_are_refused(tmp_path: Path) -> None:
    assert "'nan'" in _refused(tmp_path, "a.txt", small.casa_text().replace(b"4.200000e+001", b"nan", 1))
    assert "Counts or CPS" in _refused(
        tmp_path, "a.txt", small.casa_text().replace(b"Counts\t\tB.E.\tCPS", b"a\t\tb\tc")
    )


def test_columns_of_energy_and_intensity_by_header_or_sidecar(tmp_path: Path) -> None:
    by_header = _only(_read(tmp_path, "a.csv", small.csv(), {"counting_time_s": 2.0}))
    assert list(by_header.columns["binding_energy_ev"]) == [0.5, 0.4, 0.3]
    assert list(by_header.columns["intensity_counts_per_s"]) == [200.0, 50.0, 12.5]
    bare = b"10 5 1\n11 6 1\n12 7 1\n"
    declared = {"columns": ["kinetic_energy_ev", "intensity_counts_per_s", None], "photon_energy_ev": 21.2}
    by_sidecar = _read(tmp_path, "a.txt", bare, declared)
    assert list(_only(by_sidecar).columns["kinetic_energy_ev"]) == [10.0, 11.0, 12.0]
    assert list(_only(by_sidecar).columns["intensity_counts_per_s"]) == [5.0, 6.0, 7.0]
    assert (by_sidecar.technique, _only(by_sidecar).settings["analysis_method"]) == ("ups", "UPS")


@pytest.mark.parametrize(
    "columns", [["binding_energy_ev"], ["binding_energy_ev", "time_s"], ["binding_energy_ev", None]]
)
def test_a_sidecar_that_names_no_spectrum_is_refused_with_an_example(tmp_path: Path, columns: list[object]) -> None:
    with pytest.raises(UnreadableFile, match="binding_energy_ev, intensity_counts"):
        _read(tmp_path, "a.csv", small.csv(), {"columns": columns})
