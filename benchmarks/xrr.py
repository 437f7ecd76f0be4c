"""Reflectivity: the kernel and a whole fit against refnx's own, on the same model and data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from refnx.analysis import CurveFitter, Objective, Transform
from refnx.dataset import Data1D
from refnx.reflect import SLD, ReflectModel, reflectivity

from rutile_assets.physics.reflectivity import momentum_transfer, parratt
from rutile_assets.physics.scattering import density_of, sld
from rutile_assets.simulation.realism import IDEAL
from rutile_assets.simulation.truth import TRILAYER, film_truth
from rutile_assets.simulation.xrr import XrrSetup, rate_counts_per_s
from rutile_assets.techniques.xrr.fit import XrrFitParameters, fit_curve
from rutile_assets.techniques.xrr.model import Curve, Instrument, Layer, visible_stack

WAVE = 1.5405929


def _best_of(times: int, work: Callable[[], object]) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    q = np.linspace(0.01, 0.6, 1000)
    rho = np.array([0.0, 34.6, 54.1, 34.6, 34.6]) - 1j * np.array([0.0, 1.7, 3.0, 1.7, 1.7])
    thickness, rough = np.array([25.0, 38.0, 25.0]), np.full(4, 2.0)
    slabs = np.zeros((5, 4))
    slabs[1:-1, 0], slabs[:, 1], slabs[:, 2], slabs[1:, 3] = thickness, rho.real, -rho.imag, rough
    ours = _best_of(50, lambda: parratt(q, rho[None] * 1e-6, thickness[None], rough[None]))
    theirs = _best_of(50, lambda: reflectivity(q, slabs, dq=0.0))
    yield f"kernel, 1000 q, 4 interfaces: {1e3 * ours:.2f} ms, refnx {1e3 * theirs:.2f} ms, ratio {ours / theirs:.2f}"

    truth = film_truth("x", TRILAYER, 3.8, IDEAL, np.random.default_rng(1))
    angle = XrrSetup().two_theta_deg
    angle = angle[angle >= 0.5]
    rate = rate_counts_per_s(truth, XrrSetup(), angle, k_alpha_2_fraction=0.0, beam_width_mm=0.1)
    counts = np.random.default_rng(0).poisson(rate).astype(float)
    layers = [
        Layer(o.material, o.nominal_thickness_nm, density_of(o.material), i) for i, o in enumerate(truth.layers, 1)
    ]
    stack = visible_stack(Layer("TiO2", 0.0, density_of("TiO2"), 0), layers, WAVE)
    curve = Curve(angle, counts, np.ones_like(angle), None, is_counts=True)
    start = time.perf_counter()
    fit = fit_curve(curve, stack, Instrument(WAVE, 0.01, 0.02), XrrFitParameters(adsorbate_nm=0.0), 1)
    ours = time.perf_counter() - start
    found = fit.estimate().value("thickness_nm", "2 RuO2")
    true = truth.film.thickness_nm
    yield f"whole fit of a trilayer, {len(angle)} points: {ours:.1f} s, RuO2 {found:.4f} nm (truth {true:.4f})"
    start = time.perf_counter()
    theirs_nm, evaluations = _refnx_fit(angle, counts)
    theirs = time.perf_counter() - start
    yield (
        f"refnx differential evolution (its defaults), then least squares, on the same points: {theirs:.1f} s, "
        f"{evaluations} generations at most, RuO2 {theirs_nm:.4f} nm; ratio {ours / theirs:.3f}"
    )


def _refnx_fit(angle: np.ndarray, counts: np.ndarray) -> tuple[float, int]:
    """Fit scale, background and, per layer, thickness, roughness, density; the footprint is divided out beforehand."""
    from rutile_assets.physics.reflectivity import footprint  # noqa: PLC0415

    hit = footprint(angle, np.array([0.02]))
    q = momentum_transfer(angle, WAVE)
    data = Data1D((q, counts / hit / 3e7, np.sqrt(np.maximum(counts, 1.0)) / hit / 3e7))
    air = SLD(0.0)
    film, cap = (SLD(np.conj(sld(m, density_of(m))) * 1e6) for m in ("RuO2", "TiO2"))
    substrate = SLD(np.conj(sld("TiO2", density_of("TiO2"))) * 1e6)
    ruo2, top, base = film(38.0, 2.0), cap(25.0, 2.0), substrate(0.0, 2.0)
    for slab in (ruo2, top):
        slab.thick.setp(vary=True, bounds=(slab.thick.value / 1.5, slab.thick.value * 1.5))
        real = slab.sld.real
        real.setp(vary=True, bounds=(0.85 * real.value, 1.15 * real.value))
    for slab in (ruo2, top, base):
        slab.rough.setp(vary=True, bounds=(0.0, 20.0))
    model = ReflectModel(air | top | ruo2 | base, dq=0.0)
    model.scale.setp(vary=True, bounds=(0.3, 3.0))
    model.bkg.setp(vary=True, bounds=(1e-10, 1e-6))
    fitter = CurveFitter(Objective(model, data, transform=Transform("logY")))
    generations = 1000
    fitter.fit("differential_evolution", target="nlpost", verbose=False, seed=1, maxiter=generations)
    fitter.fit("least_squares", verbose=False)
    return ruo2.thick.value / 10.0, generations
