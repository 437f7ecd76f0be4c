"""Laue oscillations on the substrate's rod: coherent sums, accuracy from nominal thicknesses, pulls, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rutile_assets.errors import FitFailed, InvalidRecord
from rutile_assets.ops.house import House
from rutile_assets.physics.crystal import form_factor, plane_factor, rutile
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.rooms import all_assets
from rutile_assets.simulation.realism import IDEAL
from rutile_assets.simulation.truth import TRILAYER, UNCAPPED, FilmTruth, film_truth, plane_spacing_nm
from rutile_assets.simulation.xrd import XrdSetup, expected_counts
from rutile_assets.techniques.xrd.assets import rod_of
from rutile_assets.techniques.xrd.model import Film, Rod, XrdFitParameters, fit_rod, refine, substrate_peak_deg

WAVE = 1.5405929
CHOSEN = XrdFitParameters()


def _simulated(series: str, nominal_nm: float) -> tuple[FilmTruth, Rod, np.ndarray, np.ndarray]:
    """Return truth, nominal rod, angles and noiseless counts summed plane by plane."""
    truth = film_truth("x", series, nominal_nm, IDEAL, np.random.default_rng(int(10 * nominal_nm)))
    angle = XrdSetup().two_theta_deg
    films = tuple(
        Film(of.material, of.nominal_thickness_nm * 1.1, i)
        for i, of in enumerate(truth.layers, start=1)
        if of.role != "buffer"
    )
    return truth, Rod("TiO2", films, WAVE, 0.012), angle, expected_counts(truth, XrdSetup(), angle)


def _true(truth: FilmTruth) -> list[tuple[float, float]]:
    found = []
    for layer in truth.layers:
        if layer.role != "buffer":
            spacing = plane_spacing_nm(layer.material, layer.thickness_nm)
            found.append((layer.thickness_nm / spacing, 10.0 * spacing))
    return found


def test_lattices_have_the_known_peak_and_spacing() -> None:
    assert substrate_peak_deg("TiO2", WAVE) == pytest.approx(27.436, abs=2e-3)
    assert rutile("RuO2").d110_nm == pytest.approx(0.31797, abs=1e-5)
    with pytest.raises(InvalidRecord, match="SrTiO3"):
        rutile("SrTiO3")


def test_form_factors_count_electrons_forward() -> None:
    q = np.array([1e-6])
    assert form_factor("O", q, WAVE).real[0] == pytest.approx(8.05, abs=0.05)
    assert plane_factor("TiO2", q, 3.248, WAVE).real[0] == pytest.approx(2 * 22.2 + 4 * 8.05, abs=0.5)


def test_without_a_film_the_rod_falls_as_the_inverse_square_from_its_peak() -> None:
    rod = Rod("TiO2", (), WAVE, 0.012)
    peak = 4 * np.pi * np.sin(np.radians(substrate_peak_deg("TiO2", WAVE) / 2)) / WAVE
    near, far = (abs(rod.amplitude(np.zeros(3), np.array([peak + dq]))[0]) for dq in (0.01, 0.02))
    assert near / far == pytest.approx(2.0, rel=0.03)


def test_a_film_of_the_substrates_own_lattice_and_gap_is_the_substrate() -> None:
    d = 10 * rutile("TiO2").d110_nm
    q = np.linspace(1.7, 2.2, 300)
    bare = np.abs(Rod("TiO2", (), WAVE, 0.012).amplitude(np.zeros(3), q))
    grown = Rod("TiO2", (Film("TiO2", 2.5, 1),), WAVE, 0.012).amplitude(np.array([0, 0, 0, 8.0, d, d]), q)
    np.testing.assert_allclose(np.abs(grown), bare, rtol=2e-3)


@pytest.mark.parametrize(
    ("series", "nominal_nm"), [(UNCAPPED, 1.5), (UNCAPPED, 3.8), (UNCAPPED, 6.5), (UNCAPPED, 17.2), (TRILAYER, 3.8)]
)
def test_planes_and_spacing_from_a_thickness_that_is_10_percent_off(series: str, nominal_nm: float) -> None:
    """physics.md b: |dN| < 0.05 and |dd| < 0.002 angstrom; the peak is never resolved from the substrate's."""
    truth, rod, angle, counts = _simulated(series, nominal_nm)
    noisy = np.random.default_rng(3).poisson(counts).astype(float)
    fit = fit_rod(angle, noisy, np.ones_like(angle), rod, CHOSEN)
    for number, (planes, spacing) in enumerate(_true(truth)):
        assert fit.vector[3 + 3 * number] == pytest.approx(planes, abs=0.05)
        assert fit.vector[4 + 3 * number] == pytest.approx(spacing, abs=0.002)
    assert 0.85 < fit.reduced_chi_square < 1.2


@pytest.mark.parametrize(("series", "nominal_nm"), [(UNCAPPED, 3.8), (TRILAYER, 3.8)])
def test_plane_and_spacing_pulls_have_little_bias_and_width_1(series: str, nominal_nm: float) -> None:
    truth, rod, angle, counts = _simulated(series, nominal_nm)
    counts = counts / 10.0  # 3e5 at the brightest point; at 3e4 likelihood's own skew is 0.1 sigma
    used = np.abs(angle - substrate_peak_deg("TiO2", WAVE)) > CHOSEN.mask_deg
    angle, counts = angle[used][::2], counts[used][::2]
    start = fit_rod(angle, counts, np.ones_like(angle), rod, CHOSEN).vector
    pulls = []
    for seed in range(400):
        noisy = np.random.default_rng([seed, 31]).poisson(counts).astype(float)
        vector, covariance = refine(angle, noisy, rod, start, CHOSEN)
        true = np.array(_true(truth)).ravel()
        places = [i for n in range(len(rod.films)) for i in (3 + 3 * n, 4 + 3 * n)]
        pulls.append((vector[places] - true) / np.sqrt(np.diag(covariance)[places]))
    # a bias up to 0.1 sigma, plus two standard errors of 400 seeds; over 2,000 seeds N is -0.08 +- 0.02 sigma
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.1 + 2 / np.sqrt(len(pulls))
    assert np.std(pulls, axis=0, ddof=1).min() > 0.9
    assert np.std(pulls, axis=0, ddof=1).max() < 1.1


def test_a_scan_that_does_not_cross_the_substrate_peak_is_refused() -> None:
    rod = Rod("TiO2", (Film("RuO2", 3.8, 1),), WAVE, 0.012)
    angle = np.linspace(30.0, 34.0, 400)
    with pytest.raises(FitFailed, match="across TiO2"):
        fit_rod(angle, np.ones(400), np.ones(400), rod, CHOSEN)


@pytest.mark.parametrize(
    ("substrate", "orientation", "materials", "words"),
    [
        ("TiO2", "001", ["RuO2"], "110"),
        ("TiO2", "110", ["BiFeO3"], "BiFeO3"),
        ("TiO2", "110", ["TiO2"], "only layers of the substrate"),
        ("TiO2", "110", [], "without layers"),
    ],
)
def test_stacks_that_the_model_does_not_know_say_so(
    substrate: str, orientation: str, materials: list[str], words: str
) -> None:
    growth = pd.DataFrame([{"substrate_material": substrate, "substrate_orientation": orientation}])
    layers = pd.DataFrame(
        [{"material": m, "nominal_thickness_nm": 3.0, "layer_index": i} for i, m in enumerate(materials, start=1)]
    )
    with pytest.raises(InvalidRecord, match=words):
        rod_of(growth, layers, {}, CHOSEN)


def test_a_real_scan_of_another_stack_stays_a_table_with_a_note(house: House, realdata: Path) -> None:
    folder = house.home.inbox / "P0137"
    (folder / "xrd").mkdir(parents=True)
    (folder / "growth.yaml").write_text(
        'growth_id: P0137\norigin: measured\nsubstrate: {material: SrTiO3, orientation: "001"}\n'
        "layers: [{material: BiFeO3, nominal_thickness_nm: 30}]\n"
    )
    name = "epytaxy_P0137cOP_BFO10k_STO100_2theta.xrdml"
    (folder / "xrd" / name).write_bytes((realdata / "xrd_theta2theta" / name).read_bytes())
    run = RunContext("cli")
    assert {v.status for v in house.ingest([folder], run)} == {"accepted"}
    made = {
        asset.name: materialize(house.lake, house.home, asset, "P0137", run)
        for asset in all_assets()
        if asset.name in ("growth", "xrd_scan", "xrd_fit", "xrd_peak")
    }
    assert len(made["xrd_scan"].frames["xrd_scan"]) == 10000
    assert made["xrd_fit"].outcome.results == []
    assert "not fitted" in made["xrd_fit"].outcome.notes[0]
    peaks = made["xrd_peak"].frames["xrd_peak"]
    lattice = (
        peaks.dropna(subset=["reflection_order"]).set_index(["origin", "reflection_order"]).lattice_out_of_plane_nm
    )
    assert 0.4062 < lattice["film", 1] < 0.4066
    assert lattice["substrate", 2] == pytest.approx(0.3903, abs=3e-5)
    assert made["xrd_peak"].outcome.results[0].estimate.value("lattice_out_of_plane_nm", "film order 1") > 0.4062
