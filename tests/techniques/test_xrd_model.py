"""Laue oscillations on the substrate's rod: coherent sums, accuracy from nominal thicknesses, pulls, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rutile_assets.errors import FitFailed, InvalidRecord
from rutile_assets.ops.house import House
from rutile_assets.physics.counting import deviance_residual, deviance_slope
from rutile_assets.physics.crystal import form_factor, plane_factor, plane_occupancies, rutile
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.rooms import all_assets
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.truth import TRILAYER, UNCAPPED, FilmTruth, film_truth, plane_spacing_nm
from rutile_assets.simulation.xrd import XrdSetup, expected_counts
from rutile_assets.techniques.xrd.assets import rod_of
from rutile_assets.techniques.xrd.model import Film, Rod, XrdFitParameters, fit_rod, refine, substrate_peak_deg

WAVE = 1.5405929
CHOSEN = XrdFitParameters()


def _simulated(
    series: str, nominal_nm: float, terrace_share: float = 0.0
) -> tuple[FilmTruth, Rod, np.ndarray, np.ndarray]:
    """Return truth, nominal rod, angles and noiseless counts summed plane by plane."""
    truth = film_truth("x", series, nominal_nm, IDEAL, np.random.default_rng(int(10 * nominal_nm)))
    angle = XrdSetup().two_theta_deg
    films = tuple(
        Film(of.material, of.nominal_thickness_nm * 1.1, i)
        for i, of in enumerate(truth.layers, start=1)
        if of.role != "buffer"
    )
    return truth, Rod("TiO2", films, WAVE, 0.012), angle, expected_counts(truth, XrdSetup(), angle, terrace_share)


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
    grown = Rod("TiO2", (Film("TiO2", 2.5, 1),), WAVE, 0.012).amplitude(np.array([0, 0, 0, 8.0, d, d, 0.0]), q)
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


@pytest.mark.parametrize(("series", "nominal_nm"), [(UNCAPPED, 1.5), (TRILAYER, 2.5)])
def test_without_noise_and_terraces_planes_are_right_to_a_thousandth(series: str, nominal_nm: float) -> None:
    truth, rod, angle, counts = _simulated(series, nominal_nm)
    fit = fit_rod(angle, counts, np.ones_like(angle), rod, CHOSEN)
    for number, (planes, spacing) in enumerate(_true(truth)):
        assert fit.vector[3 + 3 * number] == pytest.approx(planes, abs=1e-3)
        assert fit.vector[4 + 3 * number] == pytest.approx(spacing, abs=1e-4)


@pytest.mark.parametrize(("series", "nominal_nm"), [(UNCAPPED, 3.9), (TRILAYER, 3.8)])
def test_terraces_of_the_surface_are_found_and_planes_stay_right(series: str, nominal_nm: float) -> None:
    """The top planes of a real film are broken by its terraces; a sharp model reads them as a misfit of 100 sigma."""
    truth, rod, angle, counts = _simulated(series, nominal_nm, Realism().terrace_share)
    fit = fit_rod(angle, np.random.default_rng(4).poisson(counts).astype(float), np.ones_like(angle), rod, CHOSEN)
    assert 0.85 < fit.reduced_chi_square < 1.2
    layers = [layer for layer in truth.layers if layer.role != "buffer"]
    for number, ((planes, spacing), layer) in enumerate(zip(_true(truth), layers, strict=True)):
        assert fit.vector[3 + 3 * number] == pytest.approx(planes, abs=5e-3)
        assert fit.vector[4 + 3 * number] == pytest.approx(spacing, abs=3e-4)
        spread = Realism().terrace_share * 10.0 * layer.roughness_nm / spacing
        assert fit.vector[3 + 3 * len(layers) + number] == pytest.approx(spread, abs=0.02)


@pytest.mark.parametrize(("planes", "spread"), [(4.6, 0.0), (4.6, 0.4), (12.0, 0.3), (53.2, 1.0)])
def test_occupancies_add_up_to_the_planes_and_spread_as_the_surface_does(planes: float, spread: float) -> None:
    found = plane_occupancies(planes, spread)
    assert found.sum() == pytest.approx(planes, abs=1e-4)
    assert (np.diff(found) <= 1e-12).all()
    heights = planes + spread * np.random.default_rng(1).normal(size=200_000)
    drawn = np.clip(heights[:, None] - np.arange(len(found)), 0.0, 1.0).mean(axis=0)
    assert found == pytest.approx(drawn, abs=5e-3)
    first = int(planes)
    assert plane_occupancies(planes, spread, first) == pytest.approx(found[first:])


@pytest.mark.parametrize("counts_per_point", [0.5, 3.0, 4e5])
def test_slopes_of_the_deviance_and_of_the_rod_are_those_of_differences(counts_per_point: float) -> None:
    expected = counts_per_point * np.array([0.5, 0.999, 0.99999, 1.0, 1.7])
    counts = np.full(5, np.ceil(counts_per_point))
    step = 1e-6 * expected
    differences = (deviance_residual(counts, expected + step) - deviance_residual(counts, expected - step)) / 2 / step
    assert deviance_slope(counts, expected) == pytest.approx(differences, rel=1e-4)


def test_the_fits_covariance_is_minuits() -> None:
    """The same likelihood, minimised and its curvature taken by iminuit's Hesse."""
    iminuit = pytest.importorskip("iminuit")
    _, rod, angle, counts = _simulated(UNCAPPED, 3.8, 0.5)
    used = np.abs(angle - substrate_peak_deg("TiO2", WAVE)) > CHOSEN.mask_deg
    angle, noisy = angle[used][::4], np.random.default_rng(7).poisson(counts[used][::4] / 10.0).astype(float)
    start = fit_rod(angle, noisy, np.ones_like(angle), rod, CHOSEN).vector
    found, covariance = refine(angle, noisy, rod, start, CHOSEN)
    stds = np.sqrt(np.diag(covariance))

    def cost(scaled: np.ndarray) -> float:
        vector = found + stds * scaled
        known = (vector[2] / CHOSEN.two_theta_zero_std_deg) ** 2 + (vector[6] / CHOSEN.surface_spread_planes) ** 2
        return float(np.sum(deviance_residual(noisy, rod.rate(vector, angle)) ** 2) + known)

    minuit = iminuit.Minuit(cost, np.zeros(len(found)))
    minuit.fixed[1] = True  # fewer counts of background than fringes: its logarithm has no parabola
    minuit.migrad()
    minuit.hesse()
    free = [0, 2, 3, 4, 5, 6]
    conditional = np.linalg.inv(np.linalg.inv(covariance)[np.ix_(free, free)])
    assert np.abs(np.array(minuit.values)[free]).max() < 0.05
    assert np.array(minuit.errors)[free] * stds[free] == pytest.approx(np.sqrt(np.diag(conditional)), rel=0.03)


def test_a_sharp_film_on_its_rod_is_xrayutilities_kinematical_pattern() -> None:
    """Twelve planes: log of the intensity to 0.1 within 1.5 deg of the peak, minima of the fringes to 0.02 deg.

    xrayutilities holds the structure factor still at its value at the peak and takes layers as continuous, which is
    where the rest comes from; its layers count phases from their own reflection at the top, here the two are put in
    registry at the interface.
    """
    xu = pytest.importorskip("xrayutilities")
    planes, spacing, below = 12, 3.2248, 10 * rutile("TiO2").d110_nm
    lattice, a = rutile("TiO2"), 3.2248 * np.sqrt(2)

    def crystal(metal: str, a: float, c: float) -> object:
        cell = xu.materials.SGLattice(136, a, c, atoms=[metal, "O"], pos=["2a", ("4f", 0.3053)], b=[0.4, 0.4])
        return xu.materials.Crystal(metal, cell)

    substrate = crystal("Ti", lattice.a_angstrom, lattice.c_angstrom)
    film = crystal("Ru", a, lattice.a_angstrom * lattice.c_angstrom / a)  # as many cells on the surface
    setup = xu.HXRD(substrate.Q(0, 0, 1), substrate.Q(1, 1, 0), wl=WAVE)
    angle = np.linspace(24.9, 32.6, 3001)
    q = 4 * np.pi * np.sin(np.radians(angle / 2)) / WAVE

    def field(*layers: object) -> np.ndarray:
        model = xu.simpack.KinematicalModel(xu.simpack.LayerStack("x", *layers), experiment=setup)
        return np.asarray(model.simulate(q, hkl=(1, 1, 0), rettype="field"))

    rod = field(xu.simpack.Layer(substrate, np.inf))
    deep = np.exp(1j * (q - 2 * np.pi / below) * planes * spacing)
    alone = field(xu.simpack.Layer(substrate, np.inf), xu.simpack.Layer(film, planes * spacing)) - rod * deep
    registry = np.exp(-2j * np.pi * (1 / spacing - 1 / below) * planes * spacing)
    theirs = np.abs(rod * deep * registry + alone) ** 2
    vector = np.array([0, 0, 0, planes, spacing, 0.5 * (below + spacing), 0.0])
    ours = np.abs(Rod("TiO2", (Film("RuO2", 3.9, 1),), WAVE, 0.0).amplitude(vector, q)) ** 2
    away = np.abs(angle - substrate_peak_deg("TiO2", WAVE))
    near = (away > 0.2) & (away < 1.5)
    assert np.std(np.log(ours[near] / theirs[near])) < 0.1
    minima = [angle[1:-1][(i[1:-1] < i[:-2]) & (i[1:-1] < i[2:])] for i in (ours, theirs)]
    assert len(minima[0]) == 3
    assert minima[0] == pytest.approx(minima[1], abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("series", "nominal_nm"), [(UNCAPPED, 3.8), (TRILAYER, 3.8)])
@pytest.mark.parametrize("terrace_share", [0.0, 0.5])
def test_plane_and_spacing_pulls_have_little_bias_and_width_1(
    series: str, nominal_nm: float, terrace_share: float
) -> None:
    truth, rod, angle, counts = _simulated(series, nominal_nm, terrace_share)
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
        peaks.dropna(subset=["reflection_order"]).set_index(["peak_owner", "reflection_order"]).lattice_out_of_plane_nm
    )
    assert 0.4062 < lattice["film", 1] < 0.4065
    assert lattice["substrate", 2] == pytest.approx(0.3903, abs=3e-5)
    assert made["xrd_peak"].outcome.results[0].estimate.value("lattice_out_of_plane_nm", "film order 1") > 0.4062
