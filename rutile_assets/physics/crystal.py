"""Rutile oxides seen along [110]: lattice constants with their sources, planes, and their structure factors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import periodictable as pt
from periodictable import cromermann
from scipy.special import ndtr

from rutile_assets.errors import InvalidRecord

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

DEBYE_WALLER_ANGSTROM2 = 0.4
SURFACE_REACH = 5.0  # standard deviations of a surface's height beyond which a plane is whole or absent
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


NOTES = "as quoted in the project's physics notes"
_TIO2 = Rutile("Ti", 4.5937, 2.9587, 0.3053, f"Abrahams and Bernstein 1971, {NOTES}")
DEFAULT_LATTICES = "bolzan_1997"
# a choice of bulk lattices: relaxation and misfit hang on it, so every fit names the one it used
LATTICE_SETS: dict[str, dict[str, Rutile]] = {
    DEFAULT_LATTICES: {"TiO2": _TIO2, "RuO2": Rutile("Ru", 4.4968, 3.1049, 0.3053, f"Bolzan et al. 1997, {NOTES}")},
    "boman_1970": {"TiO2": _TIO2, "RuO2": Rutile("Ru", 4.4919, 3.1066, 0.3058, f"Boman 1970, from memory, {NOTES}")},
    "rounded": {"TiO2": _TIO2, "RuO2": Rutile("Ru", 4.492, 3.106, 0.3053, "rounded, gives the paper's misfits")},
    "paper_pbe": {
        "TiO2": Rutile("Ti", 6.588 / np.sqrt(2.0), 2.970, 0.3053, "PBE, doi 10.1038/s41467-026-69200-x, Methods"),
        "RuO2": Rutile("Ru", 6.394 / np.sqrt(2.0), 3.119, 0.3053, "PBE, doi 10.1038/s41467-026-69200-x, Methods"),
    },
}
RUTILES = LATTICE_SETS[DEFAULT_LATTICES]


def rutile(material: str, lattices: str = DEFAULT_LATTICES) -> Rutile:
    """Return the bulk lattice of a rutile oxide.

    Parameters
    ----------
    material : str
        ``TiO2`` or ``RuO2``.
    lattices : str
        A key of `LATTICE_SETS`; experiment and DFT are never mixed within one set.

    Raises
    ------
    InvalidRecord
        The set or the material is not in the table.
    """
    if lattices not in LATTICE_SETS:
        raise InvalidRecord(f"lattice set {lattices!r}", f"one of {', '.join(LATTICE_SETS)}", "Correct the parameter.")
    if material not in LATTICE_SETS[lattices]:
        raise InvalidRecord(
            f"{material!r} along [110]",
            f"a rutile of the table ({', '.join(RUTILES)})",
            "Ask for its lattice to be added.",
        )
    return LATTICE_SETS[lattices][material]


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
    material: str,
    q_per_angstrom: FloatArray,
    d_angstrom: float,
    wavelength_angstrom: float,
    *,
    h_minus_k: int = 0,
    q_parallel_per_angstrom: float = 0.0,
) -> ComplexArray:
    """Return the structure factor of one (110) plane of a 1 x 1 cell about the metals' height, on an allowed rod.

    2 f_M + f_O (2 cos(2 pi (h - k) u) + 2 cos(2 u q d)): two oxygens at the metals' height, aside along [1-10], two at
    2 u d above and below. On a rod with odd l the planes alternate in sign besides (a shift by c/2); the caller's
    phase per plane says so.

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
    h_minus_k : int
        Of the rod; 0 on the specular one.
    q_parallel_per_angstrom : float
        Length of the rod's in-plane momentum, for the form factors [1/angstrom].
    """
    lattice = rutile(material)
    total = np.hypot(q_per_angstrom, q_parallel_per_angstrom) if q_parallel_per_angstrom else q_per_angstrom
    metal, oxygen = _forms(lattice.metal, np.ascontiguousarray(total).tobytes(), wavelength_angstrom)
    aside = 2.0 * np.cos(2.0 * np.pi * h_minus_k * lattice.u)
    return np.asarray(2.0 * metal + oxygen * (aside + 2.0 * np.cos(2.0 * lattice.u * q_per_angstrom * d_angstrom)))


def plane_occupancies(planes: float, spread: float, first: int = 0) -> FloatArray:
    """Return how much of each plane of a film is there, from plane `first` (0 is the lowest) to the last, (K,).

    The surface stands at height H, in planes, a Gaussian of mean `planes` and standard deviation `spread` over the
    terraces that scatter together; plane k is there to the mean of clip(H - k, 0, 1). The sum over all planes is
    `planes`; without a spread the last plane alone is broken.

    Parameters
    ----------
    planes, spread : float
        Mean and standard deviation of the height [planes]; `planes` several `spread` above 0.
    first : int
        The first plane that is asked for.
    """
    last = int(np.ceil(planes + SURFACE_REACH * spread))
    above = planes - np.arange(first, max(last, first + 1) + 1)
    if spread <= 0.0:
        return np.asarray(np.clip(above[:-1], 0.0, 1.0))
    u = above / spread
    higher = above * ndtr(u) + spread * np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
    return np.asarray(higher[:-1] - higher[1:])


@lru_cache(maxsize=256)
def _forms(metal: str, q_bytes: bytes, wavelength_angstrom: float) -> tuple[ComplexArray, ComplexArray]:
    """Return the form factors of metal and oxygen; a fit asks for them at the same q again and again."""
    q = np.frombuffer(q_bytes)
    return form_factor(metal, q, wavelength_angstrom), form_factor("O", q, wavelength_angstrom)
