"""Real photoelectron files against the answers of MANIFEST.csv, and against readers that are not ours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from igor2 import binarywave
from scipy.optimize import curve_fit
from scipy.special import erf

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import read, recognise
from rutile_assets.formats.describe import describe
from rutile_assets.formats.measurement import FloatArray, Measurement, Source

FORMAT_OF = {
    "pynx_regular.vms": "vamas",
    "xylib_mjr9_116a.vms": "vamas",
    "xylib_mjr9_64c.vms": "vamas",
    "LG4X_Multipak_vms.npl": "vamas",
    "pynx_In-situ_PBTTT_XPS_SPECS.xml": "specs-xml",
    "pynx_MgFe2O4_small.xy": "specs-xy",
    "xylib_specsxy_example.xy": "specs-xy",
    "pynx_vms_txt_export.txt": "casa-text",
    "pynx_scienta_Ag_0002.ibw": "igor-ibw",
    "pynx_scienta_Ag_0001.txt": "scienta-txt",
    "LG4X_170109_1712_Ef.csv": "spectrum-text",
}
VAMAS = [name for name, known in FORMAT_OF.items() if known == "vamas"]
POINTS = {
    "pynx_regular.vms": [1351],
    "xylib_mjr9_116a.vms": [1101, 601, 231, 211, 231, 181, 301],
    "xylib_mjr9_64c.vms": None,
    "LG4X_Multipak_vms.npl": [601, 601, 501, 401, 401],
    "pynx_In-situ_PBTTT_XPS_SPECS.xml": [1403, 201],
    "pynx_MgFe2O4_small.xy": [1351, 56],
    "xylib_specsxy_example.xy": [1303, 281, 501, 301],
    "pynx_vms_txt_export.txt": [1201, 501, 1201, 501],
    "pynx_scienta_Ag_0002.ibw": [801],
    "pynx_scienta_Ag_0001.txt": [361],
    "LG4X_170109_1712_Ef.csv": [351],
}

Reader = Callable[[str], Measurement]


@pytest.fixture(scope="session")
def folder(realdata: Path) -> Path:
    return realdata / "xps_ups"


@pytest.fixture(scope="session")
def real(folder: Path) -> Reader:
    return lambda name: read(Source.of(folder / name))


def _axis(measurement: Measurement, scan: int, name: str) -> FloatArray:
    return measurement.scans[scan].columns[f"{name}_energy_ev"]


def _rate(measurement: Measurement, scan: int) -> FloatArray:
    return measurement.scans[scan].columns["intensity_counts_per_s"]


def test_every_file_of_the_folder_is_read_for_the_photoelectron_room(
    real: Reader, manifest: dict[str, dict[str, str]]
) -> None:
    listed = [name.split("/")[1] for name in manifest if name.startswith("xps_ups/")]
    assert sorted(listed) == sorted(FORMAT_OF)
    for name in listed:
        measurement = real(name)
        assert (measurement.format, measurement.technique) == (FORMAT_OF[name], "ups")
        assert POINTS[name] is None or [scan.points for scan in measurement.scans] == POINTS[name]
        assert len(describe(measurement)) > 3


@pytest.mark.parametrize("name", FORMAT_OF)
@pytest.mark.parametrize("percent", [10, 50, 90])
def test_cut_real_files_are_refused(tmp_path: Path, folder: Path, name: str, percent: int) -> None:
    content = (folder / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: len(content) * percent // 100])
    with pytest.raises(UnreadableFile):
        recognise(Source.of(path)).read(Source.of(path))


def test_prodigy_survey_of_mgfe2o4(real: Reader) -> None:
    measurement = real("pynx_regular.vms")
    (scan,) = measurement.scans
    assert _axis(measurement, 0, "kinetic") == pytest.approx(136.61 + np.arange(1351.0), abs=1e-9)
    counts = _rate(measurement, 0) * scan.columns["counting_time_s"]
    assert (counts.min(), counts.max()) == (pytest.approx(18.153, abs=5e-4), pytest.approx(10836.6))
    assert "detected_counts" not in scan.columns  # the file's are not whole
    wanted = {"region": "Survey", "photon_energy_ev": 1486.61, "pass_energy_ev": 100.0}
    wanted |= {"analyser_work_function_ev": 4.1082, "step_ev": 1.0}
    assert {key: scan.settings[key] for key in wanted} == wanted
    assert len(scan.columns["transmission_factor"]) == 1351


def test_two_exports_of_one_measurement_agree(real: Reader) -> None:
    """The Prodigy .xy (binding, counts/s) and the .vms (kinetic, counts in 0.1 s) hold the same survey."""
    text, vamas = real("pynx_MgFe2O4_small.xy"), real("pynx_regular.vms")
    assert 1486.61 - _axis(vamas, 0, "kinetic") == pytest.approx(_axis(text, 0, "binding"), abs=1e-9)
    assert _rate(vamas, 0) == pytest.approx(_rate(text, 0), rel=5e-6)


def test_prodigy_text(real: Reader) -> None:
    measurement = real("pynx_MgFe2O4_small.xy")
    assert [scan.settings["region"] for scan in measurement.scans] == ["Survey", "Fe2p"]
    assert _axis(measurement, 0, "binding")[[0, -1]] == pytest.approx([1350, 0])
    assert _rate(measurement, 0)[0] == pytest.approx(15598.679)
    assert _axis(measurement, 1, "binding")[[0, -1]] == pytest.approx([750, 695])
    assert _rate(measurement, 1)[-1] == pytest.approx(4013.8297)
    for scan in measurement.scans:
        assert (scan.settings["photon_energy_ev"], scan.settings["analyser_work_function_ev"]) == (1486.61, 4.1082)
    assert any("no line end" in note for note in measurement.notes)


def test_specslab2_text_with_a_region_over_photon_energy(real: Reader, folder: Path) -> None:
    measurement = real("xylib_specsxy_example.xy")
    assert [s.settings["region"] for s in measurement.scans] == ["over_1400eV", "O1s", "Si2p", "O1s_XAS_45°"]
    assert sum(scan.points for scan in measurement.scans) == 2386
    assert [scan.settings.get("photon_energy_ev") for scan in measurement.scans] == [1400, 640, 640, None]
    table = np.genfromtxt(folder / "xylib_specsxy_example.xy", comments="#", encoding="latin-1")
    found = [
        np.column_stack([next(iter(s.columns.values())), _rate(measurement, i)])
        for i, s in enumerate(measurement.scans)
    ]
    assert np.array_equal(np.concatenate(found), table[:, :2])
    assert "kinetic_energy_ev" in measurement.scans[2].columns
    assert "photon_energy_ev" in measurement.scans[3].columns
    assert measurement.scans[3].settings["kinetic_energy_ev"] == 50.0


@pytest.mark.parametrize(
    ("name", "blocks", "first", "sweeps"),
    [("xylib_mjr9_116a.vms", 7, [1101, 386.69], [3, 5]), ("xylib_mjr9_64c.vms", 9, [1101, 386.69], [250, 250])],
)
def test_kratos_maps(real: Reader, name: str, blocks: int, first: list[float], sweeps: list[int]) -> None:
    measurement = real(name)
    assert len(measurement.scans) == blocks
    assert measurement.settings["experiment_mode"] == "MAP"
    assert [measurement.scans[0].points, _axis(measurement, 0, "kinetic")[0]] == first
    chosen = measurement.scans[:2] if sweeps[0] == 3 else measurement.scans[-2:]
    assert [scan.settings["sweep_count"] for scan in chosen] == sweeps
    for scan in measurement.scans:
        assert scan.settings["analyser_work_function_ev"] == -4.455
        assert (scan.columns["detected_counts"] == np.round(scan.columns["detected_counts"])).all()
    if blocks == 7:
        names = [str(scan.settings["region"]).split("/")[0] for scan in measurement.scans]
        assert names == ["Wide", "Wide", "O 1s", "N 1s", "C 1s", "S 2p", "Au 4f"]


def test_multipak_binding_energies_fall(real: Reader) -> None:
    measurement = real("LG4X_Multipak_vms.npl")
    assert [s.settings["region"] for s in measurement.scans] == ["C 1s", "O 1s", "S 2p", "N 1s", "Mo 3d"]
    assert [s.settings["step_ev"] for s in measurement.scans] == [-0.05] * 5
    assert [_axis(measurement, i, "binding")[0] for i in range(5)] == [305.0, 555.0, 180.0, 410.0, 240.0]
    scan = measurement.scans[0]
    assert list(scan.columns["intensity_counts_per_s"][:3]) == [2047.5, 2052.5, 2122.5]
    assert scan.columns["intensity_counts_per_s"].max() == 6265.0
    assert scan.columns["detected_counts"] == pytest.approx(scan.columns["intensity_counts_per_s"] * 0.4)


@pytest.mark.parametrize("name", VAMAS)
def test_the_vamas_package_reads_the_same(real: Reader, folder: Path, name: str) -> None:
    peer = pytest.importorskip("vamas").Vamas((folder / name).read_bytes())
    measurement = real(name)
    assert len(peer.blocks) == len(measurement.scans)
    for block, scan in zip(peer.blocks, measurement.scans, strict=True):
        axis = next(iter(scan.columns.values()))
        values = np.array(block.corresponding_variables[0].y_values)
        assert axis == pytest.approx(block.x_start + block.x_step * np.arange(len(values)), abs=1e-9)
        time = block.signal_collection_time * block.num_scans_to_compile_block
        rates = values if block.corresponding_variables[0].unit == "c/s" else values / time
        assert scan.columns["intensity_counts_per_s"] == pytest.approx(rates, rel=1e-12)
        assert scan.settings["photon_energy_ev"] == block.analysis_source_characteristic_energy
        assert scan.settings["pass_energy_ev"] == block.analyzer_pass_energy_or_retard_ratio_or_mass_res
        assert scan.settings["bias_v"] == block.target_bias
        for variable in block.corresponding_variables[1:]:
            assert list(scan.columns["transmission_factor"]) == variable.y_values


def test_specslab_channeltrons_are_shifted_and_added(real: Reader, folder: Path) -> None:
    """Sums sample by sample in plain loops; unshifted sums smear the C 1s line, shifted ones do not."""
    measurement = real("pynx_In-situ_PBTTT_XPS_SPECS.xml")
    root = ElementTree.parse(folder / "pynx_In-situ_PBTTT_XPS_SPECS.xml").getroot()
    regions = [e for e in root.iter("struct") if e.get("type_name") == "RegionData"]
    said = [("Survey", 1403, 0.5, 50.0, 8, 7, 1), ("C1s", 201, 0.05, 20.0, 33, 30, 2)]
    for region, scan, (name, values, step, pass_ev, head, tail, runs) in zip(
        regions, measurement.scans, said, strict=True
    ):
        detectors = [e for e in region.iter("struct") if e.get("type_name") == "Detector"]
        shifts = [float(e.findtext("double[@name='shift']", "")) for e in detectors]
        raw = [e.findtext("ulong", "").split() for e in region.iter("sequence") if e.get("name") == "counts"]
        assert len(raw) == runs
        assert {len(words) for words in raw} == {5 * (values + head + tail)}
        expected = np.zeros(values)
        unshifted = np.zeros(values)
        for words in raw:
            for k in range(values):
                for d in range(5):
                    j = head + k - round(shifts[d] * pass_ev / step)
                    expected[k] += int(words[5 * j + d])
                    unshifted[k] += int(words[5 * (head + k) + d])
        assert np.array_equal(scan.columns["detected_counts"], expected)
        assert (scan.settings["region"], scan.settings["photon_energy_ev"]) == (name, 1253.6)
        assert (scan.settings["pass_energy_ev"], scan.settings["analyser_work_function_ev"]) == (pass_ev, 4.37)
        assert scan.settings["step_ev"] == step
        if name == "C1s":
            assert expected.max() > 1.2 * unshifted.max()
    assert any("2 of 15 scans" in note for note in measurement.notes)


def test_casa_export_as_pandas_reads_it(real: Reader, folder: Path) -> None:
    measurement = real("pynx_vms_txt_export.txt")
    named = [(scan.settings["group"], scan.settings["region"]) for scan in measurement.scans]
    assert named == [("Ni", "Survey"), ("Ni", "Ni2p"), ("NiO", "Survey"), ("NiO", "Ni2p")]
    tables = re.split(r"K\.E\.\tCounts\t\tB\.E\.\tCPS\n", (folder / "pynx_vms_txt_export.txt").read_text())[1:]
    for scan, table in zip(measurement.scans, tables, strict=True):
        rows = "\n".join(line for line in table.splitlines() if re.match(r"[-\d]", line))
        frame = pd.read_csv(io.StringIO(rows), sep="\t", header=None)
        assert list(scan.columns["kinetic_energy_ev"]) == list(frame[0])
        assert list(scan.columns["binding_energy_ev"]) == list(frame[3])
        assert list(scan.columns["intensity_counts_per_s"]) == list(frame[4])
        assert scan.columns["counting_time_s"] == pytest.approx(frame[1] / frame[4], rel=1e-5)
        assert scan.settings["photon_energy_ev"] == 1486.61


def test_scienta_wave_as_igor2_reads_it(real: Reader, folder: Path) -> None:
    measurement = real("pynx_scienta_Ag_0002.ibw")
    wave = binarywave.load(folder / "pynx_scienta_Ag_0002.ibw")["wave"]
    head = wave["wave_header"]
    assert np.array_equal(_rate(measurement, 0), wave["wData"])
    assert np.array_equal(_axis(measurement, 0, "binding"), head["sfB"][0] + head["sfA"][0] * np.arange(801))
    assert _axis(measurement, 0, "binding")[[0, 1]] == pytest.approx([30.0, 29.95])
    assert (_rate(measurement, 0).min(), _rate(measurement, 0).max()) == pytest.approx((0.3349, 6.7128), abs=5e-5)
    assert measurement.scans[0].settings["photon_energy_ev"] == 153.0
    assert measurement.scans[0].settings["region"] == "VB"


def test_scienta_text(real: Reader) -> None:
    measurement = real("pynx_scienta_Ag_0001.txt")
    axis = _axis(measurement, 0, "binding")
    assert axis == pytest.approx(382.0 - 0.05 * np.arange(361))
    assert measurement.scans[0].settings["photon_energy_ev"] == 520.0
    assert _rate(measurement, 0)[[0, -1]] == pytest.approx([15.7494897842407, 13.1949939727783])
    assert (axis[np.argmax(_rate(measurement, 0))], _rate(measurement, 0).max()) == pytest.approx((369.9, 49.1230640))


def test_the_gold_edge_of_a_csv_stands_where_scipy_finds_it(real: Reader) -> None:
    measurement = real("LG4X_170109_1712_Ef.csv")
    energy, rate = _axis(measurement, 0, "binding"), _rate(measurement, 0)
    assert energy[[0, -1]] == pytest.approx([5.30, -1.70])
    assert np.diff(energy) == pytest.approx(np.full(350, -0.02))
    near = np.abs(energy - 0.03) < 0.35  # a window twice as wide, or a slope below the edge, moves the edge by 0.02 eV

    def edge(x: FloatArray, at: float, width: float, low: float, high: float) -> FloatArray:
        return low + high * 0.5 * (1.0 + erf((x - at) / (np.sqrt(2.0) * width)))

    found, covariance = curve_fit(edge, energy[near], rate[near], (0.0, 0.1, 1.0, 10.0))
    assert found[0] == pytest.approx(0.034, abs=0.006)
    assert found[1] == pytest.approx(0.102, abs=0.005)
    assert np.sqrt(covariance[0, 0]) < 0.006
