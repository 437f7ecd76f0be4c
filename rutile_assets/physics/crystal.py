"""Rutile oxides seen along [110]: lattice constants with their sources, planes, and their structure factors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import periodictable as pt
from periodictable import cromermann

from rutile_assets.errors import InvalidRecord

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

DEBYE_WALLER_ANGSTROM2 = 0.4
HC_KEV_ANGSTROM = 12.398419843320026


@dataclass(frozen=True)
class Rutile:
    """Lattice of a rutile oxide MO2.

    Parameters
    ----------
    metal : str
        Chemical symbol of M.
    a_angstrom, c_angstrom, u : float
        Tetragonal lattice constants [angstrom] and the oxygen parameter.
    source : str
        Where they come from.
    """

    metal: str
    a_angstrom: float
    c_angstrom: float
    u: float
    source: str

    @property
    def d110_nm(self) -> float:
        """Spacing of (110) planes, a / sqrt(2) [nm]."""
        return float(self.a_angstrom / np.sqrt(2.0) / 10.0)


RUTILES: dict[str, Rutile] = {
    "TiO2": Rutile(
        "Ti", 4.5937, 2.9587, 0.3053, "Abrahams and Bernstein 1971, as quoted in the project's physics notes"
    ),
    "RuO2": Rutile("Ru", 4.4968, 3.1049, 0.3053, "Bolzan et al. 1997, as quoted in the project's physics notes"),
}


def rutile(material: str) -> Rutile:
    """Return the lattice of a rutile oxide.

    Raises
    ------
    InvalidRecord
        The material is not in the table.
    """
    if material not in RUTILES:
        raise InvalidRecord(
            f"{material!r} along [110]",
            f"a rutile of the table ({', '.join(RUTILES)})",
            "Ask for its lattice to be added.",
        )
    return RUTILES[material]


@cache
def _anomalous(symbol: str, wavelength_angstrom: float) -> complex:
    element = getattr(pt, symbol)
    f1, f2 = element.xray.scattering_factors(energy=HC_KEV_ANGSTROM / wavelength_angstrom)
    return complex(float(f1) - element.number, float(f2))


def form_factor(symbol: str, q_per_angstrom: FloatArray, wavelength_angstrom: float) -> ComplexArray:
    """Return f0 + f' + i f'' times the Debye-Waller factor, the shape of `q_per_angstrom` [1/angstrom].

    f0 of the neutral atom from periodictable (Cromer-Mann), f' and f'' from its Henke tables.
    """
    free = np.asarray(cromermann.fxrayatq(symbol, q_per_angstrom), dtype=np.float64)
    damped = np.exp(-DEBYE_WALLER_ANGSTROM2 * (q_per_angstrom / (4.0 * np.pi)) ** 2)
    return np.asarray((free + _anomalous(symbol, wavelength_angstrom)) * damped)


def plane_factor(
    material: str, q_per_angstrom: FloatArray, d_angstrom: float, wavelength_angstrom: float
) -> ComplexArray:
    """Return the structure factor of one (110) plane of a 1 x 1 cell about the metals' height.

    2 f_M + f_O (2 + 2 cos(2 u q d)): two oxygens at the metals' height, two at 2 u d above and below.

    Parameters
    ----------
    material : str
        A key of `RUTILES`.
    q_per_angstrom : ndarray
        (Q,) along the surface normal [1/angstrom].
    d_angstrom : float
        Plane spacing [angstrom].
    wavelength_angstrom : float
        For f' and f''.
    """
    lattice = rutile(material)
    metal, oxygen = _forms(lattice.metal, np.ascontiguousarray(q_per_angstrom).tobytes(), wavelength_angstrom)
    return 2.0 * metal + oxygen * (2.0 + 2.0 * np.cos(2.0 * lattice.u * q_per_angstrom * d_angstrom))


@lru_cache(maxsize=256)
def _forms(metal: str, q_bytes: bytes, wavelength_angstrom: float) -> tuple[ComplexArray, ComplexArray]:
    """Return the form factors of metal and oxygen; a fit asks for them at the same q again and again."""
    q = np.frombuffer(q_bytes)
    return form_factor(metal, q, wavelength_angstrom), form_factor("O", q, wavelength_angstrom)
