"""Bragg peaks of a theta-2theta scan: found over their neighbourhood, fitted as a doublet, indexed by the substrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.signal import find_peaks

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM, CU_K_ALPHA2_ANGSTROM
from rutile_assets.physics.counting import deviance_residual
from rutile_assets.physics.crystal import RUTILES

FloatArray = npt.NDArray[np.float64]

LINES_RATIO = CU_K_ALPHA2_ANGSTROM.value / CU_K_ALPHA1_ANGSTROM.value
WITHOUT_MONOCHROMATOR = 0.5  # K alpha 2 over K alpha 1 of a bare tube
BRIGHTEST = 5
SURE_SIGMAS = 4.0
DOMINATES = 5.0
FAINTEST_SUBSTRATE = 1e-3  # of the brightest peak of the scan
# spacing along the normal of the first order [angstrom]: where orders are counted from
SUBSTRATES: dict[tuple[str, str], float] = {
    ("SrTiO3", "001"): 3.905,
    ("LaAlO3", "001"): 3.790,
    ("MgO", "001"): 4.212,
    ("Si", "001"): 5.431,
    ("Si", "111"): 5.431 / float(np.sqrt(3.0)),
    **{(material, "110"): 10.0 * lattice.d110_nm for material, lattice in RUTILES.items()},
    **{(material, "001"): lattice.c_angstrom for material, lattice in RUTILES.items()},
}


@dataclass(frozen=True)
class PeakParameters:
    """What a person may choose about the search for peaks.

    Parameters
    ----------
    significance : float
        Height of a peak over its neighbourhood in sigma of the counts under it.
    contrast : float
        Height of a peak over the higher of its two valleys, as a factor: ripples of a film's fringes are no peaks.
    two_theta_min_deg : float
        Peaks below are those of reflectivity, not of a lattice.
    substrate_reach_deg, film_reach_percent : float
        How far the substrate's peak may stand from its nominal angle, and a film's spacing from the substrate's.
    """

    significance: float = 8.0
    contrast: float = 2.0
    two_theta_min_deg: float = 10.0
    substrate_reach_deg: float = 0.6
    film_reach_percent: float = 8.0


@dataclass(frozen=True)
class Peak:
    """A fitted peak.

    Parameters
    ----------
    two_theta_deg, fwhm_deg, rate : float
        Centre of the K alpha 1 line [deg], its full width at half maximum [deg], its height [counts/s].
    brightest_deg, brightest_std_deg : float
        The point with the highest rate, as a person reads it off a plot, and how far off the top it may stand [deg].
    stds : ndarray
        (3,) one sigma of these.
    k_alpha_2_fraction, reduced_chi_square : float
        As assumed; with counting noise alone (the sigmas are widened by its root).
    """

    two_theta_deg: float
    fwhm_deg: float
    rate: float
    stds: FloatArray
    k_alpha_2_fraction: float
    reduced_chi_square: float
    brightest_deg: float
    brightest_std_deg: float

    def spacing_angstrom(self, wavelength_angstrom: float) -> tuple[float, float]:
        """Return lambda / (2 sin theta) of the centre and one sigma [angstrom]."""
        return _spacing(self.two_theta_deg, float(self.stds[0]), wavelength_angstrom)

    def brightest_spacing_angstrom(self, wavelength_angstrom: float) -> tuple[float, float]:
        """Return the same of the brightest point."""
        return _spacing(self.brightest_deg, self.brightest_std_deg, wavelength_angstrom)


@dataclass(frozen=True)
class Indexed:
    """A peak that has an index: whose it is, its order, and the substrate's offset at that order [deg]."""

    owner: str
    order: int
    offset_deg: float
    offset_std_deg: float


def _spacing(two_theta_deg: float, std_deg: float, wavelength_angstrom: float) -> tuple[float, float]:
    theta = np.radians(two_theta_deg) / 2.0
    spacing = wavelength_angstrom / (2.0 * np.sin(theta))
    return float(spacing), float(spacing / np.tan(theta) * np.radians(std_deg) / 2.0)


def line(two_theta_deg: FloatArray, vector: FloatArray, k_alpha_2_fraction: float) -> FloatArray:
    """Return a pseudo-Voigt doublet on a sloping background, (Q,).

    `vector`: centre of K alpha 1 [deg], log of the FWHM, Lorentzian part, log of the height, background in the middle
    and its slope per degree.
    """
    centre, width, mixed = vector[0], np.exp(vector[1]), vector[2]
    total = np.zeros_like(two_theta_deg)
    for place, share in ((centre, 1.0), (_second_line(centre), k_alpha_2_fraction)):
        u = 2.0 * (two_theta_deg - place) / width
        total += share * (mixed / (1.0 + u**2) + (1.0 - mixed) * np.exp(-np.log(2.0) * u**2))
    middle = 0.5 * (two_theta_deg[0] + two_theta_deg[-1])
    return np.asarray(np.exp(vector[3]) * total + vector[4] + vector[5] * (two_theta_deg - middle))


def peaks_of(two_theta_deg: FloatArray, counts: FloatArray, exposure: FloatArray, chosen: PeakParameters) -> list[Peak]:
    """Return the peaks of a scan, lowest angle first.

    Parameters
    ----------
    two_theta_deg, counts, exposure : ndarray
        (P,) angles [deg], rising, detected counts, and what a rate is multiplied by to give counts.
    chosen : PeakParameters
        See there.
    """
    places = _places(two_theta_deg, counts, exposure, chosen)
    brightest = sorted(places, key=lambda p: -counts[p[0]] / exposure[p[0]])[:BRIGHTEST]
    costs = {
        part: sum(_fitted(two_theta_deg, counts, exposure, *place, part)[1] for place in brightest)
        for part in (0.0, WITHOUT_MONOCHROMATOR)
    }
    part = min(costs, key=lambda p: costs[p])
    found = [_fitted(two_theta_deg, counts, exposure, *place, part)[0] for place in places]
    sure = [peak for peak in found if peak.rate > SURE_SIGMAS * peak.stds[2] > 0]
    if part == 0.0:
        return sure
    return [peak for peak in sure if not _is_second_line(peak, sure)]


def _places(
    angle: FloatArray, counts: FloatArray, exposure: FloatArray, chosen: PeakParameters
) -> list[tuple[int, int, int]]:
    """Return (top, first, last) of each peak: its highest point and the window about it."""
    rate = counts / exposure
    smooth = np.convolve(np.pad(rate, 2, mode="edge"), np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0, "valid")
    floor = np.maximum(np.percentile(smooth, 10), 1.0 / exposure.max())
    tops, _ = find_peaks(np.log(np.maximum(smooth, floor)), prominence=np.log(chosen.contrast), width=1.0)
    step = float(np.median(np.diff(angle)))
    found = []
    for top in tops:
        if angle[top] < chosen.two_theta_min_deg:
            continue
        high = max(top - 2, 0) + int(np.argmax(rate[max(top - 2, 0) : top + 3]))
        half = rate > 0.5 * rate[high]
        first, last = high, high
        while first > 0 and half[first - 1]:
            first -= 1
        while last < len(rate) - 1 and half[last + 1]:
            last += 1
        doublet = int(1.5 * (_second_line(float(angle[high])) - angle[high]) / step)
        reach = max(3 * (last - first + 1), 8, doublet)
        window = slice(max(high - reach, 0), high + reach + 1)
        valley = float(np.median(rate[window]))
        over = max(float(np.sum(rate[first : last + 1] - valley)), 0.0) * float(exposure[high])
        under = valley * float(exposure[high]) * (last - first + 1)
        if last > first and over > chosen.significance * np.sqrt(over + under):
            found.append((high, max(high - reach, 0), min(high + reach, len(rate) - 1)))
    return found


def _second_line(two_theta_deg: float) -> float:
    """Return where K alpha 2 of a spacing stands whose K alpha 1 stands here [deg]."""
    sine = min(float(np.sin(np.radians(two_theta_deg) / 2.0)) * LINES_RATIO, 1.0)
    return float(2.0 * np.degrees(np.arcsin(sine)))


def _is_second_line(peak: Peak, peaks: Sequence[Peak]) -> bool:
    return any(
        other.rate > peak.rate and abs(_second_line(other.two_theta_deg) - peak.two_theta_deg) < 2.0 * other.fwhm_deg
        for other in peaks
    )


def _fitted(
    angle: FloatArray, counts: FloatArray, exposure: FloatArray, top: int, first: int, last: int, part: float
) -> tuple[Peak, float]:
    """Fit one peak; also return its deviance."""
    window = slice(first, last + 1)
    x, n, weight = angle[window], counts[window], exposure[window]
    rate, step = n / weight, float(np.median(np.diff(x)))
    bottom = max(float(np.percentile(rate, 10)), 1e-6)
    height = max(float(counts[top] / exposure[top]) - bottom, 1e-3)
    wide = max(float(np.sum(rate > bottom + 0.5 * height)) * step, 1.5 * step)
    start = np.array([angle[top], np.log(wide), 0.5, np.log(height), bottom, 0.0])
    span = float(x[-1] - x[0])
    reach = np.array([max(wide, 2 * step), 2.5, 0.5, 2.5, height + bottom, (height + bottom) / span])

    def residual(vector: FloatArray) -> FloatArray:
        return deviance_residual(n, np.maximum(line(x, vector, part) * weight, 1e-9))

    low, high = start - reach, start + reach
    found = least_squares(residual, start, bounds=(low, high), x_scale="jac", max_nfev=200)
    free = max(len(x) - len(start), 1)
    chi_square = float(2.0 * found.cost / free)
    spread = np.sqrt(np.diag(np.linalg.pinv(found.jac.T @ found.jac)) * max(1.0, chi_square))
    width, top_rate = float(np.exp(found.x[1])), float(np.exp(found.x[3]))
    stds = np.array([spread[0], width * spread[1], top_rate * spread[3]])
    # the line falls below its top by one sigma of the counts there at this distance
    aside = width / np.sqrt(4.0 * np.log(2.0) * np.sqrt(max(float(counts[top]), 1.0)))
    reading = float(np.hypot(aside, step / np.sqrt(12.0)))
    peak = Peak(float(found.x[0]), width, top_rate, stds, part, chi_square, float(angle[top]), reading)
    return peak, float(2.0 * found.cost)


def _stands_apart(film: Peak, substrate: Peak, rest: Sequence[Peak]) -> bool:
    """Tell a film's own peak from a fringe on the substrate's rod: resolved, and far above the other maxima."""
    resolved = abs(film.two_theta_deg - substrate.two_theta_deg) > film.fwhm_deg
    return resolved and all(film.rate > DOMINATES * other.rate for other in rest)


def index_peaks(
    peaks: Sequence[Peak], first_order_angstrom: float, wavelength_angstrom: float, chosen: PeakParameters
) -> dict[int, Indexed]:
    """Return what is told of each peak by its place in `peaks`.

    The brightest peak near each order of the substrate is the substrate's; the brightest other one whose spacing is
    within reach of it is the film's of the same order, if it stands apart: a film's fringes are no lattice.
    """
    told: dict[int, Indexed] = {}
    brightest = max((peak.rate for peak in peaks), default=0.0)
    for order in range(1, int(2.0 * first_order_angstrom / wavelength_angstrom) + 1):
        nominal = 2.0 * np.degrees(np.arcsin(order * wavelength_angstrom / (2.0 * first_order_angstrom)))
        near = [
            i
            for i, p in enumerate(peaks)
            if abs(p.two_theta_deg - nominal) < chosen.substrate_reach_deg and p.rate > FAINTEST_SUBSTRATE * brightest
        ]
        if not near:
            continue
        own = max(near, key=lambda i: peaks[i].rate)
        offset, std = float(peaks[own].two_theta_deg - nominal), float(peaks[own].stds[0])
        told[own] = Indexed("substrate", order, offset, std)
        base, _ = peaks[own].spacing_angstrom(wavelength_angstrom)
        others = sorted(
            (
                i
                for i, p in enumerate(peaks)
                if i not in told
                and abs(p.spacing_angstrom(wavelength_angstrom)[0] / base - 1.0) < chosen.film_reach_percent / 100.0
            ),
            key=lambda i: -peaks[i].rate,
        )
        if others and _stands_apart(peaks[others[0]], peaks[own], [peaks[i] for i in others[1:]]):
            told[others[0]] = Indexed("film", order, offset, std)
    return told
