"""A map in the plane of the surface's normal and the substrate's in-plane direction, zeros from the substrate's peak.

The peak sets the zeros of the goniometer in angle space. Its line is the instrument's: a Gaussian in the angles, seen
through the truncation rod, whose pole is a Lorentzian along the normal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.physics.reciprocal import Reflection, momentum
from rutile_assets.techniques.rsm.line import INSTRUMENT, Line, fit_line, instrument

FloatArray = npt.NDArray[np.float64]

FAINT = (3e-3, 1e-2, 3e-2)  # of the top: what is fainter belongs to rod and film; the next where a film stands near
FEWEST = 12  # points that make a line
SOUND = 0.005  # relative error of the line's model that needs no look at a film near it
STEPS_AWAY = 6.1  # of the mesh, within which points belong to the peak


@dataclass(frozen=True)
class MeshPoints:
    """The points of a map.

    Parameters
    ----------
    omega_deg, two_theta_deg, chi_deg : ndarray
        (P,) angles [deg].
    counts, exposure : ndarray
        (P,) detected counts, and what a rate is multiplied by to give counts (time over attenuation).
    wavelength_angstrom : float
        [angstrom].
    """

    omega_deg: FloatArray
    two_theta_deg: FloatArray
    chi_deg: FloatArray
    counts: FloatArray
    exposure: FloatArray
    wavelength_angstrom: float


@dataclass(frozen=True)
class SubstratePeak:
    """The substrate's peak in angle space.

    Parameters
    ----------
    omega_deg, two_theta_deg, chi_deg : float
        Centroid [deg].
    aside_std_deg, two_theta_std_deg : float
        One sigma of omega (of chi on a tilted map) and of 2theta [deg].
    aside_width_deg, two_theta_width_deg : float
        Standard deviation of the instrument's angles as the peak's shape tells them [deg].
    coherence_per_angstrom : float
        Standard deviation across the rod that no angle explains [1/angstrom].
    """

    omega_deg: float
    two_theta_deg: float
    chi_deg: float
    aside_std_deg: float
    two_theta_std_deg: float
    aside_width_deg: float = INSTRUMENT[0]
    two_theta_width_deg: float = INSTRUMENT[1]
    coherence_per_angstrom: float = INSTRUMENT[2]

    @property
    def tilt_deg(self) -> float:
        """Angle between Q and the surface normal [deg]."""
        cosine = np.cos(np.radians(self.chi_deg)) * np.cos(np.radians(self.omega_deg - self.two_theta_deg / 2.0))
        return float(np.degrees(np.arccos(cosine)))


@dataclass(frozen=True)
class Plane:
    """A map in the plane of the normal and the substrate's in-plane direction, offsets taken out.

    Parameters
    ----------
    reflection : Reflection
        Of the substrate.
    q_parallel, q_normal, q_across : ndarray
        (P,) along the substrate's in-plane direction, along the normal, and across both [1/angstrom].
    aside_parallel, aside_normal, radial_parallel, radial_normal : ndarray
        (P,) how both move with omega (with chi on a tilted map) and with 2theta [1/angstrom].
    polarisation : ndarray
        (P,) factor (1 + cos^2 2theta)/2.
    counts, exposure : ndarray
        (P,) as in `MeshPoints`.
    omega_offset_deg, two_theta_offset_deg, chi_offset_deg : float
        Goniometer minus nominal, subtracted [deg].
    parallel_std_per_angstrom, normal_std_per_angstrom : float
        What the peak's centre leaves unknown in the plane and along the normal [1/angstrom].
    instrument : tuple of float
        Standard deviations of omega (chi) and 2theta, and of the lateral coherence, from the peak [deg, deg,
        1/angstrom].
    wavelength_angstrom : float
        [angstrom].
    """

    reflection: Reflection
    q_parallel: FloatArray
    q_normal: FloatArray
    q_across: FloatArray
    aside_parallel: FloatArray
    aside_normal: FloatArray
    radial_parallel: FloatArray
    radial_normal: FloatArray
    polarisation: FloatArray
    counts: FloatArray
    exposure: FloatArray
    omega_offset_deg: float
    two_theta_offset_deg: float
    chi_offset_deg: float
    parallel_std_per_angstrom: float
    normal_std_per_angstrom: float
    instrument: tuple[float, float, float]
    wavelength_angstrom: float

    def part(self, chosen: Any) -> Plane:
        """Return some of the points."""
        columns = (
            "q_parallel", "q_normal", "q_across", "aside_parallel", "aside_normal", "radial_parallel", "radial_normal",
            "polarisation", "counts", "exposure",
        )  # fmt: skip
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})


def substrate_peak(points: MeshPoints) -> SubstratePeak:
    """Return the brightest peak of a map, fitted about the brightest point as the instrument draws a truncation rod.

    Across the rod a Gaussian, along it a Voigt profile whose axis leans as the resolution's ellipse does, and what the
    pole's amplitude interferes with (film, slope of the structure factor): an odd tail. Free besides: the absorbers'
    factors to 1 %; a relative error of the model that makes chi-square 1. The film's rod may interfere with the
    substrate's tail by the root of the product of both: that much is no misfit. Where the bright points are too few for
    a line, their centroid.

    Raises
    ------
    FitFailed
        Nothing stands out.
    """
    rate = points.counts / points.exposure
    top = int(np.argmax(rate))
    if points.counts[top] < 20:
        raise FitFailed(
            f"{points.counts[top]:.0f} counts at the brightest point", "a substrate peak", "Measure longer."
        )
    omega, two_theta, chi = (float(a[top]) for a in (points.omega_deg, points.two_theta_deg, points.chi_deg))
    rocking = points.omega_deg - points.two_theta_deg / 2.0
    tilted = is_tilted(points.chi_deg)
    aside = points.chi_deg - chi if tilted else rocking - rocking[top]
    radial = points.two_theta_deg - two_theta
    steps = np.array([_step(aside), _step(radial)])
    near = (np.abs(aside) < STEPS_AWAY * steps[0]) & (np.abs(radial) < STEPS_AWAY * steps[1])
    if tilted:
        near &= np.abs(rocking - rocking[top]) < 1e-6
    turn = _turn_at(omega, two_theta, chi, tilted, points.wavelength_angstrom)
    found = _line(points, rate, near, np.stack([aside, radial]), turn)
    if found is not None:
        shift, stds = found.shift_deg, found.std_deg
        widths = instrument(turn if tilted else turn @ np.array([[1.0, -0.5], [0.0, 1.0]]), found.ellipse)
    else:
        half = near & (rate > 0.5 * rate[top])
        weight = rate[half] / rate[half].sum()
        shift, stds, widths = np.array([weight @ aside[half], weight @ radial[half]]), steps / np.sqrt(12.0), INSTRUMENT
    along, across = (0.0, float(shift[0])) if tilted else (float(shift[0]), 0.0)
    omega, two_theta, chi = omega + along + float(shift[1]) / 2.0, two_theta + float(shift[1]), chi + across
    return SubstratePeak(omega, two_theta, chi, float(stds[0]), float(stds[1]), *widths)


def _line(
    points: MeshPoints, rate: FloatArray, near: npt.NDArray[np.bool_], angles: FloatArray, turn: FloatArray
) -> Line | None:
    """Fit the line through the bright ones of the (P,) points near the top; None where they are too few.

    Where the line misses them, a film may stand among them: then it is asked of brighter points alone, as long as
    that makes the misfit less than half.
    """
    film = float(np.max(rate[~near], initial=0.0))
    polarisation = (1.0 + np.cos(np.radians(points.two_theta_deg)) ** 2) / 2.0
    found: Line | None = None
    for faint in FAINT:
        bright = near & (rate > np.maximum(faint * rate.max(), film))
        if bright.sum() < FEWEST or (found is not None and found.model_error < SOUND):
            break
        exposure = points.exposure[bright]
        tried = fit_line(
            angles[:, bright], turn, points.counts[bright], exposure * polarisation[bright], exposure, film
        )  # fmt: skip
        if found is not None and tried.model_error > 0.5 * found.model_error:
            break
        found = tried
    return found


def is_tilted(chi_deg: FloatArray) -> bool:
    """Tell whether chi moves over a map."""
    return float(np.ptp(chi_deg)) > 1e-6


def _turns(
    omega_deg: FloatArray, two_theta_deg: FloatArray, chi_deg: FloatArray, tilted: bool, wavelength_angstrom: float
) -> tuple[FloatArray, FloatArray]:
    """Return how (x, y, z) of `momentum` moves with omega (chi where tilted) and with 2theta, (3, P) [1/angstrom].

    On a tilted map omega follows at half of 2theta.
    """
    k = 2.0 * np.pi / wavelength_angstrom
    omega, leaving, chi = np.radians(omega_deg), np.radians(two_theta_deg - omega_deg), np.radians(chi_deg)
    along = k * (np.cos(omega) - np.cos(leaving))
    normal = k * (np.sin(omega) + np.sin(leaving))
    turned = np.stack([-normal, along * np.sin(chi), along * np.cos(chi)])
    radial = k * np.stack([np.sin(leaving), np.cos(leaving) * np.sin(chi), np.cos(leaving) * np.cos(chi)])
    if not tilted:
        return turned, radial
    return np.stack([np.zeros_like(normal), normal * np.cos(chi), -normal * np.sin(chi)]), radial + 0.5 * turned


def _turn_at(omega: float, two_theta: float, chi: float, tilted: bool, wavelength_angstrom: float) -> FloatArray:
    """Return how Q in the plane and along the normal move with the mesh's two axes, (2, 2) [1/angstrom per degree]."""
    at = (np.array([omega]), np.array([two_theta]), np.array([chi]))
    aside, radial = (v[:, 0] for v in _turns(*at, tilted, wavelength_angstrom))
    if not tilted:
        radial = radial + 0.5 * aside
    plane = [1 if tilted else 0, 2]
    return np.asarray(np.radians(1.0) * np.stack([aside[plane], radial[plane]], axis=1))


def _step(offsets: FloatArray) -> float:
    different = np.diff(np.unique(np.round(offsets, 6)))
    return float(np.median(different)) if len(different) else 0.01


def to_plane(points: MeshPoints, peak: SubstratePeak, nominal: Reflection) -> Plane:
    """Take the zero offsets out in angle space and turn the map into reciprocal space.

    A tilted map (chi moves) has its offset in chi, a coplanar one in omega; 2theta has its own.

    Raises
    ------
    FitFailed
        A map at one chi away from 0: it spreads across the plane, not in it.
    """
    wave = points.wavelength_angstrom
    two_offset = peak.two_theta_deg - nominal.two_theta_deg(wave)
    tilted = is_tilted(points.chi_deg)
    theta = (peak.two_theta_deg - two_offset) / 2.0
    omega_offset, chi_offset = 0.0, 0.0
    if tilted:
        omega_offset = peak.omega_deg - theta
        chi_offset = peak.chi_deg - float(np.copysign(nominal.tilt_deg, peak.chi_deg))
    elif abs(peak.chi_deg) > 2.0:
        raise FitFailed(
            f"a map at chi {peak.chi_deg:.2f} deg alone",
            "chi near 0, or scans at several chi",
            "At one chi omega moves across the plane of normal and in-plane direction: scan chi.",
        )
    else:
        side = np.copysign(nominal.tilt_deg, theta - peak.omega_deg) if nominal.parallel > 1e-9 else 0.0
        omega_offset = peak.omega_deg - (theta - float(side))
    omega, two_theta = points.omega_deg - omega_offset, points.two_theta_deg - two_offset
    chi = points.chi_deg - chi_offset
    x, y, z = momentum(omega, two_theta, chi, wave)
    x0, y0, _ = momentum(
        np.array([peak.omega_deg - omega_offset]),
        np.array([peak.two_theta_deg - two_offset]),
        np.array([peak.chi_deg - chi_offset]),
        wave,
    )
    length = float(np.hypot(x0[0], y0[0]))
    c, s = (x0[0] / length, y0[0] / length) if length > 1e-6 else (1.0, 0.0)
    turned, radial = _turns(omega, two_theta, chi, tilted, wave)
    longer = 2.0 * np.pi / wave * np.cos(np.radians(theta)) * np.radians(peak.two_theta_std_deg)
    aside = nominal.length * np.radians(peak.aside_std_deg)
    sine, cosine = nominal.parallel / nominal.length, nominal.q_110 / nominal.length
    return Plane(
        nominal, c * x + s * y, z, c * y - s * x,
        c * turned[0] + s * turned[1], turned[2], c * radial[0] + s * radial[1], radial[2],
        (1.0 + np.cos(np.radians(two_theta)) ** 2) / 2.0,
        points.counts, points.exposure, omega_offset, two_offset, chi_offset,
        float(np.hypot(sine * longer, cosine * aside)), float(np.hypot(cosine * longer, sine * aside)),
        (peak.aside_width_deg, peak.two_theta_width_deg, peak.coherence_per_angstrom), wave,
    )  # fmt: skip
