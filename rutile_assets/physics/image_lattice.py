"""The lattice that an image of atom columns shows: two waves of its Fourier spectrum, at any orientation and scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter, uniform_filter

from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

LONGEST_ANGSTROM, SHORTEST_ANGSTROM = 6.5, 1.1  # spacings that are looked for
SLOW_ANGSTROM = 20.0  # width of the running mean, taken twice, that is the image's slow variation
PADDING = 2
PEAKS = 24
STANDS_OUT = 60.0  # power of a peak over the median of its ring: noise reaches this once in 1e18 pixels
SECOND_SINE = 0.35  # least sine of the angle between two waves that span a lattice
HALF_TOLERANCE = 0.12


@dataclass(frozen=True)
class Lattice:
    """A two-dimensional lattice in an image.

    Parameters
    ----------
    waves_per_angstrom : ndarray
        (2, 2) reciprocal vectors (row, column), one a line [1/angstrom].
    waves_std_per_angstrom : ndarray
        (2, 2) their standard errors, from how far all peaks lie from the lattice.
    vectors_angstrom : ndarray
        (2, 2) of the lattice, one a line: vectors @ waves^T is the unit matrix [angstrom].
    peaks_per_angstrom : ndarray
        (P, 2) waves that stand out, strongest first.
    orders : ndarray
        (P, 2) their integer orders.
    power : ndarray
        (P,) over the median of their ring.
    misfit_per_angstrom : float
        Root mean square distance of the peaks from the lattice [1/angstrom].
    """

    waves_per_angstrom: FloatArray
    waves_std_per_angstrom: FloatArray
    vectors_angstrom: FloatArray
    peaks_per_angstrom: FloatArray
    orders: IntArray
    power: FloatArray
    misfit_per_angstrom: float

    def spacing_angstrom(self, order: tuple[int, int]) -> tuple[float, float]:
        """Return the spacing of the planes of an order and its standard error [angstrom]."""
        wave = np.array(order) @ self.waves_per_angstrom
        std = np.sqrt(np.array(order) ** 2 @ self.waves_std_per_angstrom**2)
        length = float(np.hypot(*wave))
        return 1.0 / length, float(np.abs(wave / length) @ std) / length**2

    def angle_deg(self, first: tuple[int, int], second: tuple[int, int]) -> float:
        """Return the angle between the planes of two orders, 0 to 90 [deg]."""
        a, b = (np.array(order) @ self.waves_per_angstrom for order in (first, second))
        return float(np.rad2deg(np.arccos(min(1.0, abs(a @ b) / np.hypot(*a) / np.hypot(*b)))))


def find_lattice(image: FloatArray, pixel_angstrom: float) -> Lattice:
    """Find the lattice of an image.

    The strongest wave and the strongest one across it span it; where other waves that stand out lie half way between,
    they span a finer one. All waves together then fit it.

    Parameters
    ----------
    image : ndarray
        (Y, X); NaN where a pixel is not to be used.
    pixel_angstrom : float
        [angstrom].

    Raises
    ------
    FitFailed
        No two waves stand out: a blank, a field too small, no columns.
    """
    height, width = image.shape
    if min(height, width) * pixel_angstrom < 2.0 * LONGEST_ANGSTROM or not np.isfinite(image).any():
        raise FitFailed(
            f"a field of {height * pixel_angstrom / 10:.2f} x {width * pixel_angstrom / 10:.2f} nm "
            f"in {height} x {width} pixels",
            f"at least {0.2 * LONGEST_ANGSTROM:.1f} nm along each side",
            "Take a larger field.",
        )
    peaks, power = spectrum_peaks(image, pixel_angstrom)
    if len(peaks) == 0:
        raise _no_lattice("no wave", power)
    sine = np.abs(_cross(peaks, peaks[0])) / np.hypot(*peaks.T) / np.hypot(*peaks[0])
    across = np.flatnonzero(sine > SECOND_SINE)
    if len(across) == 0:
        raise _no_lattice("waves in one direction only", power)
    basis = _with_halves(peaks, np.array([peaks[0], peaks[across[0]]]))
    orders, kept = _orders(peaks, basis)
    weight = np.sqrt(power[kept])
    for _ in range(2):
        told = np.linalg.lstsq(orders[kept] * weight[:, None], peaks[kept] * weight[:, None], rcond=None)[0]
        basis = _reduced(np.asarray(told, dtype=np.float64))
        orders, kept = _orders(peaks, basis)
        weight = np.sqrt(power[kept])
    miss = (peaks[kept] - orders[kept] @ basis) * weight[:, None]
    freedom = max(len(miss) - 2, 1)
    variance = (miss**2).sum(axis=0) / freedom
    inverse = np.linalg.inv((orders[kept] * weight[:, None]).T @ (orders[kept] * weight[:, None]))
    return Lattice(
        waves_per_angstrom=basis,
        waves_std_per_angstrom=np.sqrt(np.outer(np.diag(inverse), variance)),
        vectors_angstrom=np.asarray(np.linalg.inv(basis).T, dtype=np.float64),
        peaks_per_angstrom=peaks[kept],
        orders=orders[kept].astype(np.intp),
        power=power[kept],
        misfit_per_angstrom=float(np.sqrt(((peaks[kept] - orders[kept] @ basis) ** 2).sum(axis=1).mean())),
    )


def _no_lattice(found: str, power: FloatArray) -> FitFailed:
    best = f" (the strongest stands out {power.max():.0f}-fold)" if len(power) else ""
    return FitFailed(
        f"{found} of an atomic lattice{best}",
        "two waves of 1.1 to 6.5 angstrom across each other",
        "Check the scale, the focus and the zone axis.",
    )


def flattened(image: FloatArray, pixel_angstrom: float) -> FloatArray:
    """Return an image (Y, X) less its slow variation, 0 where pixels are not to be used."""
    valid = np.isfinite(image)
    filled = np.where(valid, image, 0.0)
    width = max(round(SLOW_ANGSTROM / pixel_angstrom), 3)

    def mean(values: FloatArray) -> FloatArray:
        return np.asarray(uniform_filter(uniform_filter(values, width), width))

    slow = mean(filled) / np.maximum(mean(valid.astype(np.float64)), 1e-6)
    return np.asarray(np.where(valid, image - slow, 0.0))


def spectrum_peaks(image: FloatArray, pixel_angstrom: float) -> tuple[FloatArray, FloatArray]:
    """Return waves (P, 2) of half the plane that stand out [1/angstrom] and their power over their ring's median (P,).

    Strongest first, at most `PEAKS`; places between pixels from parabolas through the logarithm.
    """
    tapered = flattened(image, pixel_angstrom) * np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    size = [PADDING * n for n in image.shape]
    power = np.fft.fftshift(np.abs(np.fft.fft2(tapered, size)) ** 2)
    ky, kx = (np.fft.fftshift(np.fft.fftfreq(n, pixel_angstrom)) for n in size)
    k = np.hypot(ky[:, None], kx[None, :])
    highest = min(1.0 / SHORTEST_ANGSTROM, 0.45 / pixel_angstrom)
    wanted = (k > 1.0 / LONGEST_ANGSTROM) & (k < highest)
    ring = np.where(wanted, (k / (0.05 * highest)).astype(int), -1)
    median = np.array([np.median(power[ring == i]) if (ring == i).any() else np.inf for i in range(ring.max() + 1)])
    over = np.where(wanted, power / np.maximum(median[ring], 1e-300), 0.0)
    half = (ky[:, None] > 0) | ((ky[:, None] == 0) & (kx[None, :] > 0))
    around = 2 * PADDING + 1
    places = np.argwhere((over > STANDS_OUT) & half & (power == maximum_filter(power, size=2 * around + 1)))
    strength = power[places[:, 0], places[:, 1]]
    places = places[np.argsort(-strength)][:PEAKS]
    if len(places) == 0:
        return np.empty((0, 2)), np.array([over.max()])
    fine = np.stack([_between(np.log(power + 1e-300), places, axis) for axis in range(2)], axis=1)
    steps = np.array([ky[1] - ky[0], kx[1] - kx[0]])
    waves = np.stack([ky[places[:, 0]], kx[places[:, 1]]], axis=1) + fine * steps
    return waves, over[places[:, 0], places[:, 1]]


def _between(values: FloatArray, places: IntArray, axis: int) -> FloatArray:
    """Return the vertex of a parabola through each place and its neighbours along an axis, in pixels from the place."""
    step = np.eye(2, dtype=int)[axis]
    size = np.array(values.shape)
    before, here, after = (values[tuple(((places + s * step) % size).T)] for s in (-1, 0, 1))
    bend = before - 2.0 * here + after
    return np.asarray(np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0))


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _orders(peaks: FloatArray, basis: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the nearest integer orders (P, 2) of waves, and which lie there."""
    told = peaks @ np.linalg.inv(basis)
    orders = np.asarray(np.round(told), dtype=np.float64)
    return orders, (np.abs(told - orders).max(axis=1) < HALF_TOLERANCE) & orders.any(axis=1)


def _with_halves(peaks: FloatArray, basis: FloatArray) -> FloatArray:
    """Return the basis, or that of a lattice twice as fine where waves lie half way between."""
    for _ in range(2):
        told = peaks @ np.linalg.inv(basis)
        half = np.round(2.0 * told)
        odd = (np.abs(2.0 * told - half).max(axis=1) < 2.0 * HALF_TOLERANCE) & (half % 2 == 1).any(axis=1)
        if not odd.any():
            break
        kind = (half[np.flatnonzero(odd)[0]] % 2).astype(int)
        basis = {
            (1, 0): np.array([basis[0] / 2.0, basis[1]]),
            (0, 1): np.array([basis[0], basis[1] / 2.0]),
            (1, 1): np.array([(basis[0] + basis[1]) / 2.0, (basis[0] - basis[1]) / 2.0]),
        }[(int(kind[0]), int(kind[1]))]
    return _reduced(basis)


def _reduced(basis: FloatArray) -> FloatArray:
    """Return the shortest basis of the same lattice (Gauss)."""
    a, b = basis
    while True:
        if a @ a > b @ b:
            a, b = b, a
        m = np.round(a @ b / (a @ a))
        if m == 0:
            return np.array([a, b])
        b = b - m * a
