"""Second harmonic azimuth scans: a cone of angles, jitter and backlash of the stage, a drifting laser, dark counts.

The paper tells an abrupt change from polar mm2 to nonpolar 4/mmm near 4 nm and nonpolar parts that rise above. Its
recipe here: amplitude w(t) A_dipole + (1 - w(t)) exp(i phase) A_quadrupole, both of one mean power; sizes are chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.physics.second_harmonic import (
    CHANNELS,
    ComplexArray,
    at_azimuth,
    azimuth_coefficients,
    channel_angles,
    invariant_tensors,
    mean_power,
    point_coefficients,
)
from rutile_assets.simulation.realism import Realism

FloatArray = npt.NDArray[np.float64]

# chosen: elements in the order of physics.second_harmonic.element_names
DIPOLE_ELEMENTS = (0.9, -0.45, 1.0, -0.35, 1.4)
QUADRUPOLE_ELEMENTS = (1.0, -1.0, 0.2, -0.4, -0.9, -0.3, -0.2, 0.3)
INCIDENCE_DEG = 45.0
PHASE_DEG = 70.0
CRITICAL_NM = 4.2


@dataclass(frozen=True)
class ShgSetup:
    """How the scans are taken.

    Parameters
    ----------
    incidence_deg, wavelength_nm : float
        Angle of incidence [deg] and wavelength of the fundamental [nm].
    azimuths : int
        Points of a turn.
    peak_counts : float
        Expected counts in the highest point of the brightest channel, without background [counts].
    background_counts : float
        Dark counts of a point [counts].
    dark_points : int
        Points that were counted with the beam blocked, to tell the background.
    cone_deg : float
        Half-angle of the cone of the lens [deg].
    """

    incidence_deg: float = INCIDENCE_DEG
    wavelength_nm: float = 800.0
    azimuths: int = 72
    peak_counts: float = 600.0
    background_counts: float = 3.0
    dark_points: int = 400
    cone_deg: float = 1.5


@dataclass(frozen=True)
class ShgScans:
    """What the set-up writes.

    Parameters
    ----------
    azimuth_deg : ndarray
        (N,) azimuths as the stage reads them [deg].
    counts : ndarray
        (N, 4) counts in pp, ps, sp, ss.
    reference : ndarray
        (N,) squared laser power at the diode, any unit.
    background_counts, background_counts_std : float
        Dark counts of a point as measured, and one sigma [counts].
    """

    azimuth_deg: FloatArray
    counts: FloatArray
    reference: FloatArray
    background_counts: float
    background_counts_std: float


def polar_weight(thickness_nm: float) -> float:
    """Return w(t): 1 while polar, down by a third within 0.3 nm of `CRITICAL_NM`, then slowly on (chosen)."""
    drop = 1.0 / (1.0 + np.exp(-(thickness_nm - CRITICAL_NM) / 0.08))
    return float(1.0 - drop * (1.0 - 0.62 * np.exp(-max(thickness_nm - CRITICAL_NM, 0.0) / 9.0)))


def amplitudes(incidence_deg: float) -> tuple[ComplexArray, ComplexArray]:
    """Return the azimuth harmonics of dipole and quadrupole, (2, 2, 2, 2 H + 1), of mean power 1 over four channels."""
    found = []
    for name, rank, elements in (("mm2", 3, DIPOLE_ELEMENTS), ("4/mmm", 4, QUADRUPOLE_ELEMENTS)):
        coefficients, shape = azimuth_coefficients(invariant_tensors(name, rank), incidence_deg), np.array(elements)
        power = mean_power(coefficients, shape.astype(np.complex128)).sum()
        found.append(np.asarray(coefficients @ shape / np.sqrt(power)))
    return found[0], found[1]


def mixed(weight: float, incidence_deg: float = INCIDENCE_DEG) -> ComplexArray:
    """Return the azimuth harmonics of the film's amplitude, (2, 2, 2, 2 H + 1), at a polar weight."""
    dipole, quadrupole = amplitudes(incidence_deg)
    return np.asarray(weight * dipole + (1.0 - weight) * np.exp(1j * np.radians(PHASE_DEG)) * quadrupole)


def dipole_fraction(thickness_nm: float) -> float:
    """Return the dipole's part of the power summed over four channels, without interference."""
    weight = polar_weight(thickness_nm)
    return weight**2 / (weight**2 + (1.0 - weight) ** 2)


def ss_fraction(thickness_nm: float) -> float:
    """Return the part of the channel ss in the power summed over four channels: 0 for the dipole of mm2."""
    power = mean_power(mixed(polar_weight(thickness_nm))[..., None], np.ones(1, dtype=np.complex128))
    return float(power[3] / power.sum())


def simulate_shg(weight: float, setup: ShgSetup, realism: Realism, rng: np.random.Generator) -> ShgScans:
    """Return azimuth scans of four channels, taken together.

    The intensity is averaged over the lens' cone (angle of incidence and azimuth), each point stands at its own
    jittered azimuth behind the stage's zero and backlash, and the laser drifts.
    """
    shown = np.arange(setup.azimuths) * 360.0 / setup.azimuths
    zero = realism.shg_zero_deg * rng.normal()
    backlash = realism.shg_backlash_deg * np.exp(-shown / 20.0)
    jitter = realism.shg_jitter_deg * rng.normal(size=shown.shape)
    true = shown - zero - backlash + jitter
    walk = np.cumsum(rng.normal(size=shown.shape)) / np.sqrt(setup.azimuths)
    power = (1.0 + realism.shg_drift * walk) ** 2
    nodes, weights = np.polynomial.legendre.leggauss(5)
    expected = np.zeros((len(shown), len(CHANNELS)))
    for tilt, part in zip(nodes, weights / weights.sum(), strict=True):
        coefficients = mixed(weight, setup.incidence_deg + setup.cone_deg * tilt)[..., None]
        for column, channel in enumerate(CHANNELS):
            polariser, analyser = (np.full(len(shown), angle) for angle in channel_angles(channel))
            here = point_coefficients(coefficients, polariser, analyser)
            for turn, share in zip(nodes, weights / weights.sum(), strict=True):
                seen = at_azimuth(here, true + setup.cone_deg * turn)[:, 0]
                expected[:, column] += part * share * np.abs(seen) ** 2
    expected *= setup.peak_counts / expected.max()
    counts = rng.poisson(expected * power[:, None] + setup.background_counts).astype(np.float64)
    dark = rng.poisson(setup.background_counts * setup.dark_points)
    reference = power * (1.0 + realism.shg_reference_noise * rng.normal(size=shown.shape))
    return ShgScans(shown, counts, reference, dark / setup.dark_points, np.sqrt(max(dark, 1)) / setup.dark_points)


def text(scans: ShgScans, setup: ShgSetup, sample: str, date: str, comment: str) -> bytes:
    """Return the scans as the lab's program writes them."""
    header = [
        f"# SHG azimuth scan, {comment}",
        f"# sample: {sample}",
        f"# date: {date}",
        f"# angle_of_incidence_deg: {setup.incidence_deg:g}",
        f"# wavelength_nm: {setup.wavelength_nm:g}",
        "# counts: true",
        f"# background_counts: {scans.background_counts:.5f}",
        f"# background_counts_std: {scans.background_counts_std:.5f}",
        ",".join(["azimuth_deg", *CHANNELS, "reference"]),
    ]
    rows = [
        ",".join([f"{angle:g}", *(f"{n:.0f}" for n in four), f"{reference:.5f}"])
        for angle, four, reference in zip(scans.azimuth_deg, scans.counts, scans.reference, strict=True)
    ]
    return ("\n".join([*header, *rows]) + "\n").encode()
