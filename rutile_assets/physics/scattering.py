"""X-ray scattering length densities of materials, from their formula, mass density and the photon's wavelength."""

from __future__ import annotations

from functools import cache
from typing import Any

import periodictable as pt
from periodictable import xsf

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM
from rutile_assets.errors import InvalidRecord

# g/cm3; X-ray densities of the crystals from their lattice constants (physics.md section 0 for the rutiles)
DENSITIES_G_PER_CM3: dict[str, tuple[float, str]] = {
    "TiO2": (4.248, "rutile, a 4.5937 c 2.9587 angstrom"),
    "RuO2": (7.050, "rutile, a 4.4919 c 3.1066 angstrom"),
    "SrTiO3": (5.117, "perovskite, a 3.905 angstrom"),
    "LaAlO3": (6.521, "pseudocubic, a 3.790 angstrom"),
    "BiFeO3": (8.34, "rhombohedral, pseudocubic a 3.965 angstrom"),
    "Al2O3": (3.987, "corundum"),
    "SiO2": (2.20, "fused silica"),
    "Si": (2.329, "diamond cubic, a 5.4310 angstrom"),
    "CH2": (1.0, "hydrocarbon adsorbate"),
}


def density_of(material: str, given: float | None = None) -> float:
    """Return the mass density [g/cm3] of a material: the grower's, the table's, or an element's own.

    Raises
    ------
    InvalidRecord
        The material is no chemical formula, or its density is not known and was not given.
    """
    if given is not None and given == given:  # noqa: PLR0124 - NaN means not given
        return float(given)
    if material in DENSITIES_G_PER_CM3:
        return DENSITIES_G_PER_CM3[material][0]
    density = _formula(material).density
    if density is None or len(_formula(material).atoms) != 1:
        raise InvalidRecord(
            f"no density of {material!r}", "a density", "Write density_g_per_cm3 for this layer in growth.yaml."
        )
    return float(density)


@cache
def sld(material: str, density_g_per_cm3: float, wavelength_angstrom: float = CU_K_ALPHA1_ANGSTROM.value) -> complex:
    """Return the scattering length density rho - i rho_i [1/angstrom^2].

    The minus sign makes k^2 = q^2/4 - 4 pi rho have a positive imaginary part, so that waves decay into the stack.
    Form factors: periodictable (Henke tables).

    Examples
    --------
    >>> round(sld("TiO2", 4.248).real * 1e6, 1)
    34.6
    """
    _formula(material)
    found: Any = xsf
    real, imaginary = found.xray_sld(material, density=density_g_per_cm3, wavelength=wavelength_angstrom)
    return complex(float(real), -float(imaginary)) * 1e-6


@cache
def _formula(material: str) -> Any:
    try:
        return pt.formula(material)
    except Exception as fault:  # periodictable raises whatever its parser does
        raise InvalidRecord(f"material {material!r}", "a chemical formula", "Correct growth.yaml.") from fault
