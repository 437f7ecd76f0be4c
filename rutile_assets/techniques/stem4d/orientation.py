r"""How the detector lies to the scan: rotation and mirror, from the data, never assumed.

A momentum :math:`p` = (along the slow axis, along the fast axis) falls on the detector's (row, column)
:math:`d = R(\theta) T p`, where T swaps the two where the detector is mirrored (`transpose`) and R turns rows towards
columns. All eight flips are (transpose, a multiple of 90 deg).

Two things of the data tell it:

- *Shadow images.* A crossover at height h above a feature throws it into the bright-field disc: a pixel at angle
  :math:`\alpha` sees the sample at :math:`r + h \alpha`. So the images of all bright-field pixels are one image,
  shifted; the orientation is where they agree best. The sign of h is that of the overfocus: nothing is left open.
- *Curl.* A field of mean momenta is close to a gradient, whose curl is zero, with either sign: the angle is open by
  180 deg. What would fix the sign in a thin sample, that electrons turn towards atoms, is reversed in a thick crystal
  that the beam meets defocused; so it decides only where there is no defocus, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

STRONGEST = 48  # frequencies of the scan that carry nearly all of the contrast
GRID_DEG = 10.0
HEIGHTS = 6
SECTORS = 16
STENCIL = (0.5, 0.25)  # steps in angle [deg] and height [nm] of the derivatives at the maximum
SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])


@dataclass(frozen=True)
class Orientation:
    """How the detector lies to the scan.

    Parameters
    ----------
    transpose : bool
        Whether it is mirrored.
    rotation_deg, rotation_deg_std : float
        From (slow, fast), swapped where `transpose`, to (row, column) [deg]; -180 to 180.
    height_nm : float
        Mean distance from the crossover down to what throws the shadows [nm]; NaN from the curl.
    agreement_fraction : float
        Of the contrast of the bright-field images that agrees, 1 where all do.
    runner_up_ratio : float
        How near the next orientation comes, 0 to 1: the agreement of the best of the other mirror image or of the
        opposite sign over this one; for the curl, what is left of it over what the other mirror image leaves.
    method : str
        ``shadow images`` or ``curl``.
    """

    transpose: bool
    rotation_deg: float
    rotation_deg_std: float
    height_nm: float
    agreement_fraction: float
    runner_up_ratio: float
    method: str

    @property
    def matrix(self) -> FloatArray:
        """(2, 2) detector (row, column) = matrix @ (slow, fast)."""
        return matrix_of(self.rotation_deg, self.transpose)


def matrix_of(rotation_deg: float, transpose: bool) -> FloatArray:
    """Return R(rotation) T, (2, 2): from (slow, fast) to the detector's (row, column)."""
    turn = np.deg2rad(rotation_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(rotation @ (SWAP if transpose else np.eye(2)))


@dataclass(frozen=True)
class _Shadows:
    spectra: ComplexArray
    angles_rad: FloatArray
    frequencies_per_nm: FloatArray

    def together(self, rotation_deg: float, transpose: bool, height_nm: float, groups: FloatArray) -> ComplexArray:
        """Return (G, Q) the sum of the aligned spectra of each group; groups (G, K) are 0 or 1."""
        at_scan = self.angles_rad @ matrix_of(rotation_deg, transpose)
        aligned = np.exp(-2j * np.pi * height_nm * (at_scan @ self.frequencies_per_nm.T))
        return np.asarray(groups @ (self.spectra * aligned))

    def agreement(self, rotation_deg: float, transpose: bool, height_nm: float) -> float:
        """Return the power of all images together when they are shifted as this orientation says."""
        everything = np.ones((1, len(self.spectra)))
        return float((np.abs(self.together(rotation_deg, transpose, height_nm, everything)) ** 2).sum())


def from_shadows(
    images: FloatArray, angles_mrad: FloatArray, step_nm: float, overfocus_nm: float, thickness_nm: float
) -> Orientation:
    """Find the orientation in which the images of the bright-field pixels agree.

    Parameters
    ----------
    images : ndarray
        (K, Y, X) electrons that each group of bright-field pixels caught at each position [counts].
    angles_mrad : ndarray
        (K, 2) mean angle of the group, (row, column) from the disc's centre [mrad].
    step_nm : float
        Of the scan [nm].
    overfocus_nm : float
        Crossover above the sample > 0 [nm]; its sign decides between two orientations 180 deg apart.
    thickness_nm : float
        What the sample may be thick at most [nm]: shadows come from all of it.

    Returns
    -------
    Orientation
        The error from a jackknife over sectors of the disc.

    Raises
    ------
    FitFailed
        Fewer than 6 x 6 positions or 20 groups, or no contrast.
    """
    if min(images.shape[1:]) < 6 or len(images) < 20:
        raise FitFailed(
            f"{len(images)} groups of pixels at {images.shape[1]} x {images.shape[2]} positions",
            "at least 20 groups at 6 x 6 positions", "Give detector_rotation_deg in the sidecar.",
        )  # fmt: skip
    shadows = _spectra(images, angles_mrad, step_nm)
    heights = overfocus_nm + np.linspace(0.0, thickness_nm, HEIGHTS)
    found = {
        transpose: max(
            (shadows.agreement(turn, transpose, height), turn, height)
            for turn in np.arange(0.0, 360.0, GRID_DEG)
            for height in heights
        )
        for transpose in (False, True)
    }
    transpose = found[True][0] > found[False][0]
    turn, height, value = _climb(shadows, found[transpose][1], transpose, found[transpose][2])
    opposite = max(shadows.agreement(turn + 180.0, transpose, h) for h in heights)
    other = max(found[not transpose][0], opposite)
    whole = float((np.abs(shadows.spectra) ** 2).sum()) * len(images)
    std = _jackknife(shadows, turn, transpose, height)
    return Orientation(bool(transpose), _wrapped(turn), std, height, value / whole, other / value, "shadow images")


def from_curl(com_mrad: FloatArray, dark_field: FloatArray, step_nm: float) -> Orientation:
    """Find the orientation in which the mean momenta have the least curl; in-focus data, or as a check.

    Parameters
    ----------
    com_mrad : ndarray
        (2, Y, X) mean angle at each position, (row, column) [mrad].
    dark_field : ndarray
        (Y, X) electrons beyond the disc [counts]; atoms are bright there, and a thin sample turns electrons towards
        them, which chooses between the angle and the angle + 180 deg.
    step_nm : float
        Of the scan [nm].

    Returns
    -------
    Orientation
        `agreement_fraction` is the part of the field without curl; the error from a jackknife over directions,
        which is wide: in focus the true error was 0.35 to 0.8 of it.
    """
    if min(com_mrad.shape[1:]) < 6 or not np.ptp(com_mrad) > 0:
        raise FitFailed(
            f"a field of {com_mrad.shape[1]} x {com_mrad.shape[2]} positions", "at least 6 x 6 that vary",
            "Give detector_rotation_deg in the sidecar.",
        )  # fmt: skip
    window = _window(com_mrad.shape[1:])
    rows, columns, dark = (_fourier(f, window) for f in (com_mrad[0], com_mrad[1], dark_field))
    q = np.meshgrid(*(2.0 * np.pi * np.fft.fftfreq(n, step_nm) for n in com_mrad.shape[1:]), indexing="ij")
    sector = np.floor((np.arctan2(q[0], q[1]) % np.pi) / np.pi * SECTORS).astype(int) % SECTORS
    best: dict[bool, tuple[float, float, float]] = {}
    for transpose in (False, True):
        slow, fast = (q[1], q[0]) if transpose else (q[0], q[1])
        curl, divergence = slow * columns - fast * rows, slow * rows + fast * columns
        terms = (np.abs(curl) ** 2, np.abs(divergence) ** 2, (curl * divergence.conj()).real)
        sums = np.array([np.bincount(sector.ravel(), term.ravel(), SECTORS) for term in terms])
        rest, turn = _least_curl(sums.sum(axis=1))
        left = _least_curl(sums.sum(axis=1)[:, None] - sums)[1]
        away = (left - turn + np.pi / 2.0) % np.pi - np.pi / 2.0
        std = _jackknife_std(away)
        best[transpose] = (float(rest), float(turn), std)
    transpose = best[True][0] < best[False][0]
    least, turned, std = best[transpose]
    along, across = np.cos(turned) * rows + np.sin(turned) * columns, np.cos(turned) * columns - np.sin(turned) * rows
    divergence = (q[1] if transpose else q[0]) * along + (q[0] if transpose else q[1]) * across
    if (1j * divergence * dark.conj()).real.sum() > 0:  # turned away from atoms
        turned += float(np.pi)
    return Orientation(
        bool(transpose), _wrapped(float(np.rad2deg(turned))), float(np.rad2deg(std)), float("nan"), 1.0 - least,
        least / best[not transpose][0], "curl",
    )  # fmt: skip


def _least_curl(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the least part of a field that is curl, and the turn that leaves it [rad].

    Parameters
    ----------
    sums : ndarray
        (3, ...) sums of |curl|^2, |divergence|^2 and Re(curl divergence*) of the field as it is.
    """
    a, b, cross = sums
    turn = 0.5 * np.arctan2(2.0 * cross, b - a)
    return np.asarray((0.5 * (a + b) - 0.5 * np.hypot(b - a, 2.0 * cross)) / (a + b)), np.asarray(turn)


def _spectra(images: FloatArray, angles_mrad: FloatArray, step_nm: float) -> _Shadows:
    window = _window(images.shape[1:])
    mean = images.mean(axis=(1, 2), keepdims=True)
    if not (mean > 0).all():
        raise FitFailed("groups of pixels without electrons", "a bright-field disc", "Check the disc.")
    spectra = np.fft.fft2((images - mean) / np.sqrt(mean) * window).reshape(len(images), -1)
    q = np.stack(np.meshgrid(*(np.fft.fftfreq(n, step_nm) for n in images.shape[1:]), indexing="ij"), -1).reshape(-1, 2)
    half = (q[:, 0] > 0) | ((q[:, 0] == 0) & (q[:, 1] > 0))
    power = (np.abs(spectra[:, half]) ** 2).sum(axis=0)
    if not power.sum() > 0:
        raise FitFailed("bright-field images without contrast", "a sample", "Check the file.")
    chosen = np.argsort(power)[::-1][:STRONGEST]
    return _Shadows(spectra[:, half][:, chosen], 1e-3 * angles_mrad, q[half][chosen])


def _climb(shadows: _Shadows, turn: float, transpose: bool, height: float) -> tuple[float, float, float]:
    """Return (angle, height, agreement) at the maximum next to a start."""

    def loss(at: FloatArray) -> float:
        return -shadows.agreement(at[0], transpose, at[1])

    simplex = np.array([[turn, height], [turn + 3.0, height], [turn, height + 1.0]])
    options = {"xatol": 1e-3, "fatol": 0.0, "initial_simplex": simplex, "maxfev": 100}
    found = minimize(loss, simplex[0], method="Nelder-Mead", options=options)
    return float(found.x[0]), float(found.x[1]), -float(found.fun)


def _jackknife(shadows: _Shadows, turn: float, transpose: bool, height: float) -> float:
    """Return the error of the angle [deg] from leaving out one sector of the disc after the other.

    Each maximum is one Newton step from the common one, with derivatives from a stencil of nine.
    """
    azimuth = np.arctan2(shadows.angles_rad[:, 0], shadows.angles_rad[:, 1])
    sector = np.minimum(((azimuth + np.pi) / (2.0 * np.pi) * SECTORS).astype(int), SECTORS - 1)
    names = np.unique(sector)
    groups = (sector == names[:, None]).astype(float)
    power = np.empty((3, 3, len(names)))
    for i, j in np.ndindex(3, 3):
        at = turn + (i - 1) * STENCIL[0], height + (j - 1) * STENCIL[1]
        parts = shadows.together(at[0], transpose, at[1], groups)
        power[i, j] = (np.abs(parts.sum(axis=0) - parts) ** 2).sum(axis=1)
    slope_t, slope_h = (power[2, 1] - power[0, 1]) / 2.0, (power[1, 2] - power[1, 0]) / 2.0
    tt = power[2, 1] - 2.0 * power[1, 1] + power[0, 1]
    hh = power[1, 2] - 2.0 * power[1, 1] + power[1, 0]
    th = (power[2, 2] - power[2, 0] - power[0, 2] + power[0, 0]) / 4.0
    turns = -STENCIL[0] * (hh * slope_t - th * slope_h) / (tt * hh - th**2)
    return _jackknife_std(turns)


def _jackknife_std(left_out: FloatArray) -> float:
    """Return the error from estimates (G), each without one group; widened as Student's t for few groups."""
    count = len(left_out)
    variance = (count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()
    return float(np.sqrt(variance * (count - 1) / (count - 3)))


def _fourier(field: FloatArray, window: FloatArray) -> ComplexArray:
    return np.asarray(np.fft.fft2((field - field.mean()) * window))


def _window(shape: tuple[int, ...]) -> FloatArray:
    return np.asarray(np.outer(*(np.hanning(n + 2)[1:-1] for n in shape)))


def _wrapped(turn_deg: float) -> float:
    return float((turn_deg + 180.0) % 360.0 - 180.0)
