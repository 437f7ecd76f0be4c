"""Goniometer angles and reciprocal space of a rutile film with [110] along the surface normal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed, InvalidRecord
from rutile_assets.physics.crystal import Rutile

FloatArray = npt.NDArray[np.float64]
Hkl = tuple[int, int, int]

LARGEST_INDEX = 5


@dataclass(frozen=True)
class Reflection:
    """Where a reflection of a lattice stands.

    Parameters
    ----------
    hkl : tuple of int
        Miller indices.
    q_001, q_1m10, q_110 : float
        Along [001] and [1-10] in the surface and along the normal [110] [1/angstrom].
    """

    hkl: Hkl
    q_001: float
    q_1m10: float
    q_110: float

    @property
    def parallel(self) -> float:
        """Length of the in-plane part [1/angstrom]."""
        return float(np.hypot(self.q_001, self.q_1m10))

    @property
    def length(self) -> float:
        """|Q| [1/angstrom]."""
        return float(np.hypot(self.parallel, self.q_110))

    @property
    def tilt_deg(self) -> float:
        """Angle between Q and the surface normal [deg]."""
        return float(np.degrees(np.arctan2(self.parallel, self.q_110)))

    def two_theta_deg(self, wavelength_angstrom: float) -> float:
        """Return the scattering angle [deg]; NaN where the wavelength cannot reach it."""
        sine = self.length * wavelength_angstrom / (4.0 * np.pi)
        return float(2.0 * np.degrees(np.arcsin(sine))) if sine <= 1.0 else float("nan")


def reflection(lattice: Rutile, hkl: Hkl) -> Reflection:
    """Return Q of a reflection: 2 pi l/c, 2 pi (h - k)/(sqrt2 a), 2 pi (h + k)/(sqrt2 a)."""
    h, k, m = hkl
    period = np.sqrt(2.0) * lattice.a_angstrom
    return Reflection(
        hkl,
        float(2.0 * np.pi * m / lattice.c_angstrom),
        float(2.0 * np.pi * (h - k) / period),
        float(2.0 * np.pi * (h + k) / period),
    )


def momentum(
    omega_deg: FloatArray, two_theta_deg: FloatArray, chi_deg: FloatArray, wavelength_angstrom: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return Q in the sample's frame before phi: along the beam's footprint, across it, along the normal.

    At chi = 0: Q_x = k (cos omega - cos(2theta - omega)), Q_z = k (sin omega + sin(2theta - omega)), omega from the
    surface, so that a grazing incidence has Q_x > 0. chi turns the normal about x: Q_y = Q_n sin chi.

    Parameters
    ----------
    omega_deg, two_theta_deg, chi_deg : ndarray
        (P,) [deg].
    wavelength_angstrom : float
        [angstrom].

    Returns
    -------
    q_x, q_y, q_z : ndarray
        (P,) [1/angstrom].
    """
    k = 2.0 * np.pi / wavelength_angstrom
    omega, exit_angle = np.radians(omega_deg), np.radians(two_theta_deg - omega_deg)
    along = k * (np.cos(omega) - np.cos(exit_angle))
    normal = k * (np.sin(omega) + np.sin(exit_angle))
    chi = np.radians(chi_deg)
    return np.asarray(along), np.asarray(normal * np.sin(chi)), np.asarray(normal * np.cos(chi))


def identify(
    lattice: Rutile, two_theta_deg: float, tilt_deg: float, wavelength_angstrom: float, tolerance_deg: float
) -> Reflection:
    """Return the reflection that stands at these angles, with all parts of Q positive.

    Parameters
    ----------
    lattice : Rutile
        Of the substrate.
    two_theta_deg, tilt_deg : float
        Of its brightest point; angle between Q and the normal [deg].
    wavelength_angstrom : float
        [angstrom].
    tolerance_deg : float
        How far either angle may be off.

    Raises
    ------
    FitFailed
        None is near, or two that cannot be told apart.
    """
    found: dict[tuple[float, float, float], Reflection] = {}
    indices = range(LARGEST_INDEX + 1)
    for h, k, m in product(indices, indices, indices):
        if k > h or (h, k, m) == (0, 0, 0):
            continue
        here = reflection(lattice, (h, k, m))
        near = np.hypot(here.two_theta_deg(wavelength_angstrom) - two_theta_deg, here.tilt_deg - tilt_deg)
        if near < tolerance_deg and _allowed(here.hkl):
            found[round(here.q_001, 6), round(here.q_1m10, 6), round(here.q_110, 6)] = here
    if len(found) != 1:
        told = ", ".join("".join(map(str, r.hkl)) for r in found.values()) or "none"
        raise FitFailed(
            f"reflections near 2theta {two_theta_deg:.2f} and tilt {tilt_deg:.2f} deg: {told}",
            "one reflection of the substrate",
            "Write `reflection: [h, k, l]` into the map's sidecar.",
        )
    return next(iter(found.values()))


def _allowed(hkl: Hkl) -> bool:
    """Rutile (P4_2/mnm): 0kl and h0l need k + l (h + l) even, 00l needs l even, h00 needs h even."""
    h, k, m = hkl
    return (k + m) % 2 == 0 if h == 0 else (h + m) % 2 == 0 if k == 0 else True


def chosen_reflection(lattice: Rutile, declared: object) -> Reflection:
    """Return the reflection that a sidecar names.

    Raises
    ------
    InvalidRecord
        Not three whole numbers.
    """
    if not (isinstance(declared, list) and len(declared) == 3 and all(isinstance(i, int) for i in declared)):
        raise InvalidRecord(f"reflection {declared!r}", "three whole numbers, [3, 3, 2]", "Correct the sidecar.")
    h, k, m = (abs(i) for i in declared)
    return reflection(lattice, (max(h, k), min(h, k), m))
