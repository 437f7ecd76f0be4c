"""The two edges of a photoelectron spectrum: a metal's Fermi edge, and the secondary cut-off read in two ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.techniques.ups.likelihood import Found, Prior, Signal, maximise
from rutile_assets.techniques.ups.shapes import (
    FWHM_PER_SIGMA,
    cutoff_shape,
    fermi_shape,
    power_cutoff_shape,
    rising_slope,
    tangent_cutoff,
)

FloatArray = npt.NDArray[np.float64]

WIDEST_FERMI_FWHM_EV = 0.6
RESAMPLED = 150
SMOOTHED_POINTS = 9
# places in the vectors of the fits
E_FERMI, FERMI_SIGMA, FERMI_SLOPE, FERMI_CURVATURE = 0, 1, 4, 5
E_CUT, CUT_SIGMA, RISE, CUT_SLOPE = 0, 1, 2, 5


@dataclass(frozen=True)
class UpsFitParameters:
    """What a person may choose about a work function.

    Parameters
    ----------
    photon_energy_ev : float
        0 takes the file's; a rounded He I or He II (21.2, 40.8) there is taken as the line's own energy. A number here
        is used as it stands.
    temperature_k : float
        Of the metal whose Fermi edge is fitted.
    fermi_window_ev : float
        Half width of what is fitted about the Fermi edge.
    density_curvature_std_per_ev2 : float
        How far a metal's density of states may bend about E_F, relative: systematic part "density of states".
    below_cutoff_ev, above_cutoff_ev : float
        What is fitted about the cut-off.
    tangent_window_ev : float
        Half width of the line through the steepest point.
    rise_ev, rise_std_ev : float
        How fast the secondaries rise above the cut-off before the resolution blurs them, and how well that is known:
        systematic part "secondary rise".
    onset_power_std_ratio : float
        How far their onset may differ from 1 - exp(-x/rise): one sigma of a power of x/rise about 1, see
        `shapes.power_cutoff_shape`: "secondary onset".
    resolution_std_ratio : float
        How well the Fermi edge's resolution holds at the cut-off, relative: "resolution at the cut-off".
    scale_std_ratio : float
        How well the scale of the analyser's axis is known, relative, over E_F - E_cut: "energy scale".
    charging_std_ev : float
        How far a sample may charge against the metal its Fermi level was read from: "charging".
    """

    photon_energy_ev: float = 0.0
    temperature_k: float = 300.0
    fermi_window_ev: float = 1.0
    density_curvature_std_per_ev2: float = 0.05
    below_cutoff_ev: float = 0.7
    above_cutoff_ev: float = 0.45
    tangent_window_ev: float = 0.12
    rise_ev: float = 0.15
    rise_std_ev: float = 0.06
    onset_power_std_ratio: float = 0.15
    resolution_std_ratio: float = 0.1
    scale_std_ratio: float = 3e-4
    charging_std_ev: float = 0.0


@dataclass(frozen=True)
class Curve:
    """What was fitted.

    Parameters
    ----------
    energy_ev, measured, fitted : ndarray
        (Q,) kinetic energy [eV], counts or intensity, model.
    """

    energy_ev: FloatArray
    measured: FloatArray
    fitted: FloatArray


@dataclass(frozen=True)
class FermiEdge:
    """A Fermi level on the axis that was given.

    Parameters
    ----------
    position_ev, fwhm_ev : float
        E_F and the FWHM of the Gaussian resolution [eV]; NaN for the latter where the level was declared.
    covariance : ndarray
        (2, 2) statistical, of the two [eV^2].
    shifts : mapping of str to ndarray
        Systematic effect -> (2,) shifts of the two for one sigma [eV].
    curve : Curve or None
        None where the level was declared.
    reduced_chi_square : float
        1 where the model says all.
    """

    position_ev: float
    fwhm_ev: float
    covariance: FloatArray
    shifts: Mapping[str, FloatArray]
    curve: Curve | None
    reduced_chi_square: float

    @property
    def std_ev(self) -> FloatArray:
        """(2,) errors of position and FWHM, systematic parts included [eV]."""
        return np.asarray(np.sqrt(np.diag(self.covariance) + sum(s**2 for s in self.shifts.values())))


@dataclass(frozen=True)
class CutOff:
    """The secondary cut-off, read twice.

    Parameters
    ----------
    position_ev, tangent_ev : float
        By the convolved edge, and where the tangent meets the baseline [eV].
    tangent_bias_ev : float
        Tangent less edge on the fitted curve, without noise [eV]: what blur and rise make of a tangent.
    covariance : ndarray
        (3, 3) statistical, of the three in this order [eV^2]; the tangent's from resampled data.
    shifts : mapping of str to ndarray
        Systematic effect -> (3,) shifts of the three for one sigma [eV].
    rise_ev : float
        Fitted rise of the secondaries [eV].
    curve : Curve
        What was fitted.
    reduced_chi_square : float
        1 where the model says all.
    """

    position_ev: float
    tangent_ev: float
    tangent_bias_ev: float
    covariance: FloatArray
    shifts: Mapping[str, FloatArray]
    rise_ev: float
    curve: Curve
    reduced_chi_square: float

    @property
    def std_ev(self) -> FloatArray:
        """(3,) errors of position, tangent and bias, systematic parts included [eV]."""
        return np.asarray(np.sqrt(np.diag(self.covariance) + sum(s**2 for s in self.shifts.values())))


def fit_fermi_edge(energy_ev: FloatArray, signal: Signal, chosen: UpsFitParameters, start_ev: float) -> FermiEdge:
    """Fit a Fermi edge near `start_ev`.

    Parameters
    ----------
    energy_ev : ndarray
        (P,) rising kinetic energy [eV].
    signal : Signal
        (P,) counts or intensity.
    chosen : UpsFitParameters
        See there.
    start_ev : float
        From `find_fermi_edge` or a person [eV].

    Raises
    ------
    FitFailed
        Too few points, or an edge wider than 0.6 eV, which is a band edge and no Fermi edge.
    """
    used = np.abs(energy_ev - start_ev) < chosen.fermi_window_ev
    if used.sum() < 12:
        raise FitFailed(f"{int(used.sum())} points about the edge", "12 or more", "Measure the edge in finer steps.")
    x, part = energy_ev[used], signal.part(used)
    low = float(np.median(part.values[x > np.quantile(x, 0.85)]))
    high = float(np.median(part.values[x < np.quantile(x, 0.3)]))
    height = max(high - low, 1e-3 * float(np.ptp(part.values)))
    starts = [
        np.array([start_ev + shift, width, max(low, 0.0), height, 0.0, 0.0])
        for width in (0.015, 0.05, 0.12)
        for shift in (0.0, -0.1)
    ]
    bounds = (
        [start_ev - 1.0, 1e-3, 0.0, 0.0, -20.0, -10.0],
        [start_ev + 1.0, 2.0, np.inf, np.inf, 0.95, 10.0],
    )

    def model(p: FloatArray) -> FloatArray:
        edge = fermi_shape(x, p[0], p[1], chosen.temperature_k, p[FERMI_SLOPE], p[FERMI_CURVATURE])
        return np.asarray(p[2] + p[3] * edge)

    prior = Prior("density of states", FERMI_CURVATURE, 0.0, chosen.density_curvature_std_per_ev2)
    found = maximise(model, part, starts, bounds, (prior,))
    fwhm = FWHM_PER_SIGMA * float(found.vector[FERMI_SIGMA])
    if fwhm > WIDEST_FERMI_FWHM_EV:
        raise FitFailed(
            f"an edge {fwhm:.2f} eV wide at {found.vector[E_FERMI]:.2f} eV",
            "a metal's Fermi edge",
            "A band edge is no Fermi level: measure a metal in contact, at the same bias.",
        )
    scale = np.array([1.0, FWHM_PER_SIGMA])
    places = [E_FERMI, FERMI_SIGMA]
    return FermiEdge(
        float(found.vector[E_FERMI]),
        fwhm,
        found.covariance[np.ix_(places, places)] * np.outer(scale, scale),
        {name: shift[places] * scale for name, shift in found.shifts.items()},
        Curve(x, part.values, model(found.vector)),
        found.reduced_chi_square,
    )


def declared_fermi_edge(position_ev: float, std_ev: float) -> FermiEdge:
    """Return a Fermi level that a person declares [eV], on the axis of the spectrum."""
    shifts = {"declared Fermi level": np.array([std_ev, 0.0])}
    return FermiEdge(position_ev, float("nan"), np.zeros((2, 2)), shifts, None, 1.0)


def find_fermi_edge(energy_ev: FloatArray, intensity: FloatArray) -> float:
    """Return the highest energy at which a spectrum rises out of its background [eV].

    Parameters
    ----------
    energy_ev, intensity : ndarray
        (P,) rising kinetic energy [eV] and counts or intensity.

    Raises
    ------
    FitFailed
        The spectrum never falls to a background at high kinetic energy.
    """
    x, y = energy_ev[::-1], intensity[::-1]
    count = max(8, int(np.sum(x > x[0] - 0.4)))
    if count >= len(x) // 2:
        raise FitFailed("no edge above a background", "points beyond the Fermi level", "Measure 0.5 eV further up.")
    level, noise = float(np.mean(y[:count])), float(np.std(y[:count], ddof=1))
    window = min(SMOOTHED_POINTS, len(y) // 4 * 2 + 1)
    smooth = np.convolve(np.pad(y, window // 2, mode="edge"), np.full(window, 1.0 / window), mode="valid")
    rise = float(np.quantile(y[: 4 * count], 0.9)) - level
    above = smooth > level + 1e-9 * abs(level) + 8.0 * noise / np.sqrt(window) + 0.02 * max(rise, 0.0)
    above[: count // 2] = False
    runs = np.convolve(above, np.ones(window), mode="valid") >= window - 0.5
    if not runs.any():
        raise FitFailed("no edge above a background", "points beyond the Fermi level", "Measure 0.5 eV further up.")
    first = int(np.argmax(runs))
    inside = np.flatnonzero((x <= x[first] + 0.1) & (x > x[first] - 0.8))
    return float(x[inside[int(np.argmin(np.gradient(smooth, x)[inside]))]])


def fit_cutoff(
    energy_ev: FloatArray, signal: Signal, fwhm_ev: float, fwhm_std_ev: float, chosen: UpsFitParameters
) -> CutOff:
    """Read the secondary cut-off by a convolved edge and by the tangent.

    Parameters
    ----------
    energy_ev : ndarray
        (P,) rising kinetic energy [eV].
    signal : Signal
        (P,) counts or intensity.
    fwhm_ev, fwhm_std_ev : float
        Resolution, as the Fermi edge has it [eV].
    chosen : UpsFitParameters
        See there.

    Raises
    ------
    FitFailed
        No cut-off: the spectrum does not fall to a baseline at low kinetic energy.
    """
    steep = float(energy_ev[int(np.argmax(rising_slope(energy_ev, signal.values)))])
    more = max(0.0, 2.0 * (fwhm_ev - 0.12))
    used = (energy_ev > steep - chosen.below_cutoff_ev - more) & (energy_ev < steep + chosen.above_cutoff_ev + more)
    before = energy_ev < steep - 0.5 - 0.5 * more
    if used.sum() < 15 or before.sum() < 5:
        raise FitFailed(
            f"{int(before.sum())} points below the steepest rise",
            "the secondary cut-off and a baseline below it",
            "Apply a bias and measure to lower kinetic energy.",
        )
    x, part = energy_ev[used], signal.part(used)
    base, top = float(np.mean(signal.values[before])), float(np.max(part.values))
    scatter = float(np.std(signal.values[before], ddof=1))
    if top < 3.0 * base + 10.0 * scatter:
        raise FitFailed("no secondary cut-off", "a steep onset at low kinetic energy", "Apply a bias and measure it.")
    sigma = fwhm_ev / FWHM_PER_SIGMA
    spread = float(np.hypot(chosen.resolution_std_ratio * fwhm_ev, fwhm_std_ev)) / FWHM_PER_SIGMA
    starts = [
        np.array([steep + shift, sigma, chosen.rise_ev * factor, max(base, 0.0), top - base, 0.0])
        for shift in (-0.15, -0.05)
        for factor in (0.5, 1.5)
    ]
    bounds = (
        [steep - 1.0, 1e-3, 5e-3, 0.0, 0.0, -1.5],
        [steep + 0.5, 1.0, 1.5, np.inf, np.inf, 5.0],
    )
    priors = (
        Prior("resolution at the cut-off", CUT_SIGMA, sigma, spread),
        Prior("secondary rise", RISE, chosen.rise_ev, chosen.rise_std_ev),
    )

    def model(p: FloatArray) -> FloatArray:
        return np.asarray(p[3] + p[4] * cutoff_shape(x, p[0], p[1], p[2], p[CUT_SLOPE]))

    found = maximise(model, part, starts, bounds, priors)
    p = found.vector
    other = p[3] + p[4] * power_cutoff_shape(x, p[0], p[1], p[2], p[CUT_SLOPE], 1.0 + chosen.onset_power_std_ratio)
    onset = float(maximise(model, Signal(other, part.noise), [p], bounds, priors).vector[E_CUT] - p[E_CUT])

    def bias(p: FloatArray) -> float:
        return tangent_cutoff(x, model(p), chosen.tangent_window_ev) - float(p[E_CUT])

    tangent = tangent_cutoff(energy_ev, signal.values, chosen.tangent_window_ev)
    gradient = _gradient(bias, found)
    covariance = _covariance(model(found.vector), x, part, found, gradient, chosen)
    shifts = {name: np.array([s[E_CUT], 0.0, gradient @ s]) for name, s in found.shifts.items()}
    shifts["secondary onset"] = np.array([onset, 0.0, -onset])
    return CutOff(
        float(found.vector[E_CUT]),
        tangent,
        bias(found.vector),
        covariance,
        shifts,
        float(found.vector[RISE]),
        Curve(x, part.values, model(found.vector)),
        found.reduced_chi_square,
    )


def _gradient(quantity: Callable[[FloatArray], float], found: Found) -> FloatArray:
    """Return the derivative of a quantity of the fit, (N,), over steps of a parameter's own error."""
    steps = np.sqrt(np.diag(found.covariance) + sum(s**2 for s in found.shifts.values()))
    slopes = []
    for place, step in enumerate(steps):
        up, down = found.vector.copy(), found.vector.copy()
        up[place] += step
        down[place] -= step
        if place in (CUT_SIGMA, RISE):
            down[place] = max(down[place], 0.1 * found.vector[place])
        slopes.append((quantity(up) - quantity(down)) / (up[place] - down[place]))
    return np.array(slopes)


def _covariance(
    fitted: FloatArray, x: FloatArray, part: Signal, found: Found, gradient: FloatArray, chosen: UpsFitParameters
) -> FloatArray:
    """Return the covariance of edge, tangent and bias: resampled data tell the tangent's scatter and correlations."""
    rng = np.random.default_rng(20)
    rows = []
    for _ in range(RESAMPLED):
        other = part.draw(fitted, rng)
        moved = found.gain @ other.residual(fitted)
        rows.append((moved[E_CUT], tangent_cutoff(x, other.values, chosen.tangent_window_ev), gradient @ moved))
    drawn = np.array(rows)
    middle, robust = np.median(drawn, axis=0), np.ptp(np.percentile(drawn, [15.9, 84.1], axis=0), axis=0) / 2.0
    drawn = np.clip(drawn, middle - 4.0 * robust, middle + 4.0 * robust)  # a tangent on a spike is no tangent
    widen = np.sqrt(max(1.0, found.reduced_chi_square))
    std = np.array([
        np.sqrt(found.covariance[E_CUT, E_CUT]),
        widen * robust[1],
        np.sqrt(gradient @ found.covariance @ gradient),
    ])  # fmt: skip
    return np.asarray(np.corrcoef(drawn.T) * np.outer(std, std))
