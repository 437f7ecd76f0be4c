"""Real instrument files against the answers that other programs gave (../shared/realdata/MANIFEST.csv)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import gwyfile
import numpy as np
import pytest
from igor2 import binarywave

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import read, recognise
from rutile_assets.formats.describe import describe
from rutile_assets.formats.measurement import Channel, FloatArray, Measurement, Scan, Source

FOLDERS = ("xrr", "xrd_theta2theta", "rsm", "afm", "kpfm", "transport_hall", "mbe_logs", "rheed")
SIDECARS: dict[str, dict[str, object]] = {
    "hc3413_JT029_SrRuO3_vdP_Hall.txt": {
        "columns": ["temperature_k", "field_oe", "source_a", "source_v", "sense_v", "configuration_index", None]
    }
}
REFUSED = {
    "epytaxy_P0142OP0000.h5": "an HDF5 file",
    "nomad_ETO_Ch1_TMR_Ch2_Hall.seq": "a MultiVu sequence: commands, not data",
}
TECHNIQUES = {
    "xrr/epytaxy_P0137aOP_XRR.xrdml": "xrr",
    "xrr/epytaxy_op18N012_XRR.xrdml": "xrr",
    "xrr/xu_xrr_data.txt": None,
    "xrd_theta2theta/rigakuXRD_MnPcTheta.txt": None,
    "kpfm/dbecerril_CPD_CdTe_0per_350C_2.gwy": "kpfm",
    "kpfm/nanoAFMr_AR_20211011.ibw": "afm",
    "kpfm/autexys_EFM_0003.ibw": "afm",
    "kpfm/autexys_SGM0003.ibw": "afm",
}
OF_FOLDER = {
    "mbe_logs": "growth_log",
    "rheed": "rheed",
    "xrd_theta2theta": "xrd",
    "rsm": "rsm",
    "afm": "afm",
    "transport_hall": "transport",
}

Reader = Callable[[str], Measurement]


def _source(path: Path) -> Source:
    return Source(path, path.name, SIDECARS.get(path.name, {}))


@pytest.fixture(scope="session")
def real(realdata: Path) -> Reader:
    return lambda name: read(_source(realdata / name))


def _only(measurement: Measurement) -> Scan:
    (scan,) = measurement.scans
    return scan


def _map(measurement: Measurement, column: str) -> FloatArray:
    return np.array([scan.columns[column] for scan in measurement.scans])


def _peak(measurement: Measurement) -> tuple[float, float, float]:
    rates, two_theta = _map(measurement, "intensity_counts_per_s"), _map(measurement, "two_theta_deg")
    row, column = np.unravel_index(np.argmax(rates), rates.shape)
    omega = measurement.scans[row].settings["omega_deg"]
    assert isinstance(omega, float)
    return float(rates[row, column]), omega, float(two_theta[row, column])


def _channel(measurement: Measurement, quantity: str) -> Channel:
    return next(channel for channel in measurement.channels if channel.quantity == quantity)


def _levelled_sq(values: FloatArray) -> float:
    y, x = np.mgrid[: values.shape[0], : values.shape[1]]
    design = np.column_stack([x.ravel(), y.ravel(), np.ones(values.size)])
    plane = design @ np.linalg.lstsq(design, values.ravel(), rcond=None)[0]
    return float(np.std(values.ravel() - plane))


def test_every_file_of_these_folders_is_read_or_refused_with_the_right_words(
    realdata: Path, manifest: dict[str, dict[str, str]]
) -> None:
    files = [name for name in manifest if name.split("/")[0] in FOLDERS]
    assert len(files) >= 22
    for name in files:
        path = realdata / name
        if path.name in REFUSED:
            with pytest.raises(UnreadableFile, match=REFUSED[path.name]):
                read(_source(path))
            continue
        measurement = read(_source(path))
        assert measurement.technique == TECHNIQUES.get(name, OF_FOLDER.get(name.split("/")[0])), name
        assert len(describe(measurement)) > 3


@pytest.mark.parametrize("folder", ["shg", "vasp"])
def test_files_of_other_techniques_are_refused_in_a_sentence(realdata: Path, folder: str) -> None:
    for path in sorted((realdata / folder).iterdir()):
        with pytest.raises(UnreadableFile) as refusal:
            read(_source(path))
        assert len(str(refusal.value)) < 600


def test_p0137a_reflectivity_has_an_omega_offset_and_9_5_s_a_point(real: Reader) -> None:
    scan = _only(real("xrr/epytaxy_P0137aOP_XRR.xrdml"))
    assert scan.points == 375
    assert scan.columns["two_theta_deg"][[0, -1]] == pytest.approx([0.255, 3.995])
    assert scan.columns["omega_deg"][[0, -1]] == pytest.approx([-0.3385, 1.5315])
    assert (scan.columns["counting_time_s"] == 9.5).all()
    rates = scan.columns["intensity_counts_per_s"]
    assert (rates.min(), rates.max()) == (pytest.approx(8.63, abs=0.005), pytest.approx(158183.9, abs=0.06))


def test_op18n012_attenuator_is_multiplied_already_and_counts_are_given_back(real: Reader) -> None:
    measurement = real("xrr/epytaxy_op18N012_XRR.xrdml")
    scan = _only(measurement)
    factor, counts = scan.columns["attenuation_factor"], scan.columns["detected_counts"]
    assert scan.points == 1490
    assert scan.columns["two_theta_deg"][[0, -1]] == pytest.approx([0.042, 5.998])
    assert set(factor) == {1.0, 148.0}
    assert counts[0] == 15586916 / 148
    assert scan.columns["intensity_counts_per_s"][0] == pytest.approx(15586916 / 2.5)
    # the intensity runs on smoothly where the attenuator switches; multiplied once more it would jump 148-fold
    switches = np.flatnonzero(np.diff(factor))
    rates = scan.columns["intensity_counts_per_s"]
    assert np.abs(np.log(rates[switches + 1] / rates[switches])).max() < 0.3
    assert any("attenuator (up to 148) that the instrument had multiplied" in note for note in measurement.notes)


def test_metal_stack_keeps_its_sigmas_and_says_that_attenuators_were_merged(real: Reader) -> None:
    measurement = real("xrr/xu_xrr_data.txt")
    scan = _only(measurement)
    rates, std = scan.columns["intensity_counts_per_s"], scan.columns["intensity_counts_per_s_std"]
    assert scan.points == 2001
    assert scan.columns["two_theta_deg"][[0, -1]] == pytest.approx([0.0, 20.0])
    assert std[0] / np.sqrt(rates[0]) == pytest.approx(107.115, abs=5e-4)
    assert std[-1] / np.sqrt(rates[-1]) == pytest.approx(1.0, abs=1e-3)
    assert "detected_counts" not in scan.columns
    assert any("attenuator" in note for note in measurement.notes)


def test_ras_of_silicon(real: Reader) -> None:
    scan = _only(real("xrd_theta2theta/MDaC_XRD_RIGAKU.ras"))
    two_theta, counts = scan.columns["two_theta_deg"], scan.columns["detected_counts"]
    assert (scan.points, counts.max()) == (3501, 4551)
    assert (two_theta[0], two_theta[-1]) == (25.0, 60.0)
    assert (scan.columns["attenuation_factor"] == 1).all()
    for peak in (28.40, 47.26, 56.07):
        near = np.abs(two_theta - peak) < 0.5
        assert two_theta[near][np.argmax(counts[near])] == pytest.approx(peak, abs=0.011)
    assert scan.columns["counting_time_s"] == pytest.approx(0.075)


def test_xrdml_of_bifeo3_on_srtio3(real: Reader) -> None:
    scan = _only(real("xrd_theta2theta/epytaxy_P0137cOP_BFO10k_STO100_2theta.xrdml"))
    two_theta, counts = scan.columns["two_theta_deg"], scan.columns["detected_counts"]
    assert scan.points == 10000
    assert two_theta[[0, -1]] == pytest.approx([15.005, 114.995])
    for peak in (22.765, 46.495):
        near = np.abs(two_theta - peak) < 0.3
        assert two_theta[near][np.argmax(counts[near])] == pytest.approx(peak, abs=0.011)


def test_rasx_of_a_powder_with_averaged_counts(real: Reader) -> None:
    measurement = real("xrd_theta2theta/nomad_TwoTheta_scan_powder.rasx")
    scan = _only(measurement)
    counts = scan.columns["intensity_counts_per_s"] * scan.columns["counting_time_s"]
    assert scan.points == 2726
    assert scan.columns["two_theta_deg"][[0, -1]] == pytest.approx([10.0, 119.0])
    assert counts.max() == pytest.approx(1698.5, abs=0.05)
    assert scan.columns["two_theta_deg"][np.argmax(counts)] == pytest.approx(32.68)
    assert "detected_counts" not in scan.columns
    assert any("not whole" in note for note in measurement.notes)


def test_rasx_of_a_film_on_silicon(real: Reader) -> None:
    measurement = real("xrd_theta2theta/rigakuXRD_RM20220915Si01.rasx")
    scan = _only(measurement)
    counts = scan.columns["detected_counts"]
    assert (scan.points, counts.max()) == (2151, 639)
    assert scan.columns["two_theta_deg"][np.argmax(counts)] == pytest.approx(21.13)
    assert scan.settings["scan_axis"] == "TwoThetaTheta"
    assert measurement.sample == "RM20220915Si01"
    assert "unannealed" in str(measurement.settings["memo"])
    assert not any("changed after" in note for note in measurement.notes)  # the stored checksums fit


def test_legacy_asc(real: Reader) -> None:
    scan = _only(real("xrd_theta2theta/rigakuXRD_2Theta.asc"))
    assert (scan.points, scan.columns["detected_counts"].max()) == (7601, 717569)
    assert scan.columns["two_theta_deg"][[0, -1]] == pytest.approx([4.0, 80.0])
    assert (scan.settings["tube_kv"], scan.settings["tube_ma"]) == (40.0, 44.0)
    assert scan.settings["k_alpha_1_angstrom"] == 1.54059


def test_text_without_a_header(real: Reader) -> None:
    scan = _only(real("xrd_theta2theta/rigakuXRD_MnPcTheta.txt"))
    assert scan.points == 2201
    assert scan.columns["two_theta_deg"][[0, -1]] == pytest.approx([1.0, 45.0])
    assert scan.columns["intensity_counts_per_s"][[0, -1]] == pytest.approx([5711.6667, 437.5])


def test_rasx_map_in_the_order_of_the_profiles_numbers(real: Reader) -> None:
    measurement = real("rsm/nomad_RSM_111_sdd350.rasx")
    omegas = [scan.settings["omega_deg"] for scan in measurement.scans]
    counts = _map(measurement, "intensity_counts_per_s") * 1.2
    assert counts.shape == (401, 301)
    assert omegas == pytest.approx(17.702 + 0.01 * np.arange(401))
    assert counts.max() == pytest.approx(13440.24, abs=0.005)
    assert counts.sum() == pytest.approx(365330.82, abs=0.005)
    assert _peak(measurement)[1:] == pytest.approx((19.712, 39.564))


@pytest.mark.parametrize(
    ("name", "shape", "omegas", "two_thetas", "peak"),
    [
        (
            "epytaxy_P0031bCL_RSM_003_phi_0.xrdml",
            (108, 169),
            (33.495, 36.705),
            (68.319, 73.282),
            (1033.37, 36.285, 72.573),
        ),
        (
            "nomad_m82762_-420_mesh.xrdml",
            (101, 255),
            (60.9727, 61.9727),
            (67.4505, 69.9515),
            (116916.97, 61.8227, 69.3805),
        ),
        ("xu_rsm_1.xrdml.bz2", (401, 255), (33.0546, 35.0546), (None, None), (332008, 34.3046, 69.1235)),
    ],
)
def test_xrdml_maps(
    real: Reader,
    name: str,
    shape: tuple[int, int],
    omegas: tuple[float, float],
    two_thetas: tuple[float | None, float | None],
    peak: tuple[float, float, float],
) -> None:
    measurement = real(f"rsm/{name}")
    two_theta = _map(measurement, "two_theta_deg")
    assert two_theta.shape == shape
    measured = [measurement.scans[i].settings["omega_deg"] for i in (0, -1)]
    assert measured == pytest.approx(omegas, abs=1e-4)
    if two_thetas[0] is not None:
        assert (two_theta.min(), two_theta.max()) == pytest.approx(two_thetas, abs=1e-3)
    found = _peak(measurement)
    assert found[0] == pytest.approx(peak[0], abs=0.01)
    assert found[1:] == pytest.approx(peak[1:], abs=1e-3)


def test_counts_of_the_mesh_are_rates_times_358_92_s(real: Reader) -> None:
    scan = real("rsm/nomad_m82762_-420_mesh.xrdml").scans[0]
    assert (scan.columns["counting_time_s"] == 358.92).all()
    assert scan.settings["phi_deg"] == -101.32


@pytest.mark.parametrize(
    ("name", "size_um", "low", "high", "raw_sq", "plane_sq"),
    [
        ("nanoscopeAFM_Veeco_20160622.003", 1.76908, -145.608, 13.869, 10.183, 10.174),
        ("jmarini_full_multiple_images.spm", 2.0, -729.749, -397.344, 88.339, 6.948),
    ],
)
def test_nanoscope_5_heights_agree_with_pyspm(
    real: Reader, name: str, size_um: float, low: float, high: float, raw_sq: float, plane_sq: float
) -> None:
    measurement = real(f"afm/{name}")
    height = _channel(measurement, "height_nm")
    assert [(c.label, c.values.shape) for c in measurement.channels] == [
        ("Height", (512, 512)),
        ("Amplitude", (512, 512)),
    ]
    assert (height.values.min(), height.values.max()) == pytest.approx((low, high), abs=6e-4)
    assert float(height.values.std()) == pytest.approx(raw_sq, abs=6e-4)
    assert _levelled_sq(height.values) == pytest.approx(plane_sq, abs=6e-4)
    assert height.pixel_size_x_nm == height.pixel_size_y_nm == pytest.approx(size_um * 1e3 / 512)


def test_nanoscope_rows_run_from_the_top(realdata: Path, real: Reader) -> None:
    height = _channel(real("afm/nanoscopeAFM_Veeco_20160622.003"), "height_nm").values
    stored = (realdata / "afm/nanoscopeAFM_Veeco_20160622.003").read_bytes()[40960 : 40960 + 1024]
    bottom = np.frombuffer(stored, "<i2") * (41.60368 / 65536 * 7.0)
    assert height[-1] == pytest.approx(bottom)


def test_cypher_wave_in_nm_with_pixels_of_size_over_number(realdata: Path, real: Reader) -> None:
    measurement = real("kpfm/nanoAFMr_AR_20211011.ibw")
    height = _channel(measurement, "height_nm")
    assert [c.label for c in measurement.channels] == [
        "HeightRetrace",
        "AmplitudeRetrace",
        "PhaseRetrace",
        "ZSensorRetrace",
    ]
    assert height.values.shape == (128, 128)
    assert (height.values.min(), height.values.max()) == pytest.approx((-32.460, 50.788), abs=6e-4)
    assert _levelled_sq(height.values) == pytest.approx(7.865, abs=6e-4)
    assert height.pixel_size_x_nm == pytest.approx(31.25)
    wave = binarywave.load(str(realdata / "kpfm/nanoAFMr_AR_20211011.ibw"))["wave"]["wData"]
    assert height.values[-1] == pytest.approx(wave[:, 0, 0] * 1e9)  # y = 0 is the bottom row
    assert "potential_v" not in {c.quantity for c in measurement.channels}


@pytest.mark.parametrize(("name", "pixels", "size_nm"), [("EFM_0003", 32, 12000.0), ("SGM0003", 64, 11000.0)])
def test_mfp3d_nap_waves_without_a_potential(real: Reader, name: str, pixels: int, size_nm: float) -> None:
    measurement = real(f"kpfm/autexys_{name}.ibw")
    assert [c.label for c in measurement.channels] == [
        "HeightRetrace",
        "AmplitudeRetrace",
        "NapAmplitudeRetrace",
        "PhaseRetrace",  # igor2 says 'PhaseRetracee': it drops the NUL before the rest of an older, longer name
        "NapPhaseRetrace",
        "ZSensorRetrace",
    ]
    assert {c.values.shape for c in measurement.channels} == {(pixels, pixels)}
    assert measurement.channels[0].pixel_size_x_nm == pytest.approx(size_nm / pixels)
    assert (measurement.settings["nap_mode"], measurement.instrument) == ("Nap", "Asylum MFP3D")
    assert measurement.settings["nap_tip_voltage_v"] == {"EFM_0003": 10.0, "SGM0003": 0.0}[name]
    assert measurement.technique == "afm"


def test_gwyddion_potential_map_is_in_volt_and_its_mean_lies_between_the_authors_grains(
    realdata: Path, real: Reader
) -> None:
    measurement = real("kpfm/dbecerril_CPD_CdTe_0per_350C_2.gwy")
    potential = _channel(measurement, "potential_v")
    assert (potential.label, potential.unit, potential.values.shape) == ("CPD", "V", (120, 120))
    assert 1.2321 < potential.values.mean() < 1.4204
    theirs = gwyfile.load(str(realdata / "kpfm/dbecerril_CPD_CdTe_0per_350C_2.gwy"))
    assert (potential.values == theirs["/2/data"].data).all()
    height = _channel(measurement, "height_nm")
    assert height.values == pytest.approx(theirs["/0/data"].data * 1e9)
    assert height.pixel_size_x_nm == pytest.approx(2000.0 / 120)


def test_act_channels_on_alternate_rows(real: Reader) -> None:
    one, two = real("transport_hall/nomad_ACT_Ch1_Hall_Ch2_TMR.dat").scans
    assert (one.points, two.points) == (3017, 3018)
    temperatures = np.concatenate([one.columns["temperature_k"], two.columns["temperature_k"]])
    fields = np.concatenate([one.columns["field_t"], two.columns["field_t"]])
    assert (temperatures.min(), temperatures.max()) == pytest.approx((1.998, 3.402), abs=5e-4)
    assert (fields.min(), fields.max()) == pytest.approx((-1.0, 1.0), abs=1e-4)
    assert one.columns["excitation_a"] == pytest.approx(1.0288e-3, rel=1e-5)
    assert one.columns["frequency_hz"] == pytest.approx(93.0)
    # rho = R A / L with A / L = 0.0011144 / 0.1393 cm = 0.0080 cm, and 1 cm = 1e7 nm
    ratio = one.columns["resistivity_ohm_nm"] / one.columns["resistance_ohm"]
    assert ratio == pytest.approx(0.0011144 / 0.1393 * 1e7, rel=1e-6)
    assert not any(name.startswith("hall") for name in one.columns)
    assert "4 wire Hall" in str(one.settings["label"])


def test_source_meter_text_with_the_sidecars_columns(real: Reader) -> None:
    measurement = real("transport_hall/hc3413_JT029_SrRuO3_vdP_Hall.txt")
    scan = _only(measurement)
    assert scan.points == 5100
    assert len({round(t / 5.0) for t in scan.columns["temperature_k"]}) == 17
    assert (scan.columns["temperature_k"].min(), scan.columns["temperature_k"].max()) == pytest.approx(
        (5, 325), abs=0.02
    )
    assert (scan.columns["field_t"].min(), scan.columns["field_t"].max()) == pytest.approx((-8.0, 8.0), abs=1e-4)
    assert set(scan.columns["configuration_index"]) == {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}
    assert measurement.sample == "JT029_SrRuO3_171024"


def test_source_meter_text_without_sidecar_says_which_keys_to_write(realdata: Path) -> None:
    path = realdata / "transport_hall/hc3413_JT029_SrRuO3_vdP_Hall.txt"
    expected = re.escape("`columns: [temperature_k, field_oe, source_a, source_v, sense_v, configuration_index, null]`")
    with pytest.raises(UnreadableFile, match=f"'Temp'.*'Field'.*column 6, column 7.*{expected}"):
        read(Source.of(path))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_cut_real_file_is_never_a_measurement(realdata: Path, tmp_path: Path, part: float) -> None:
    cut = tmp_path / "cut"
    for path in sorted(p for p in realdata.rglob("*") if p.is_file() and p.name != "MANIFEST.csv"):
        content = path.read_bytes()
        short = content[: int(len(content) * part)]
        if path.parent.name == "mbe_logs":  # no end mark, no promised count: cut at a line end it looks whole
            short = short.rstrip(b"\r\n")
        cut.write_bytes(short)
        source = Source(cut, path.name, SIDECARS.get(path.name, {}))
        with pytest.raises(UnreadableFile) as refusal:
            recognise(source).read(source)
        assert refusal.value.what_to_do
