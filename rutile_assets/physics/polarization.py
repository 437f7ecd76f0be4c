"""From displacements to polarization, where Born effective charges exist: TiO2, plane by plane.

P = e / V sum Z* u over a formula unit. With the acoustic sum rule the oxygens' charges are minus half the cation's, so
that P = Z* e delta / V for a cation delta above the mean of its oxygens: cation up and oxygens down is P upwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.errors import InvalidRecord
from rutile_assets.physics.crystal import Rutile

FloatArray = npt.NDArray[np.float64]

UC_PER_CM2_OF_E_PM_PER_ANGSTROM3 = ELEMENTARY_CHARGE_C.value * 1e6 * 1e-10 / 1e-24


@dataclass(frozen=True)
class BornCharge:
    """Born effective charge tensor of the cation of a rutile, in the tetragonal axes of the cation at the origin.

    Parameters
    ----------
    xx, xy, zz : float
        Components [e]: along the a axes, between them, along c. At the other cation of the cell xy has the other sign.
    xx_sigma, xy_sigma : float
        One sigma [e].
    source : str
        Where they come from, and how surely.
    """

    xx: float
    xy: float
    zz: float
    xx_sigma: float
    xy_sigma: float
    source: str

    @property
    def along_110(self) -> FloatArray:
        """(2,) component along the film's [110] [e] at site A (apical oxygens along it) and at site B."""
        return np.array([self.xx + self.xy, self.xx - self.xy])


BORN_CHARGES: dict[str, BornCharge] = {
    "TiO2": BornCharge(
        6.3,
        1.0,
        7.5,
        0.5,
        0.5,
        "Lee, Ghosez, Gonze, Phys. Rev. B 50, 13379 (1994), doi 10.1103/PhysRevB.50.13379, value from memory,"
        " unverified; which site has the larger component, too",
    ),
}
NO_POLARIZATION: dict[str, str] = {
    "RuO2": (
        "RuO2 is a metal: its carriers screen the field of a moved ion, the polarization of a bulk crystal is not"
        " defined (Resta, Rev. Mod. Phys. 66, 899 (1994), doi 10.1103/RevModPhys.66.899) and no Born charge turns a"
        " displacement into one. The displacement is reported as such."
    ),
}


def born_charge(material: str) -> BornCharge:
    """Return the Born charges of a material.

    Raises
    ------
    InvalidRecord
        It has none, with the reason.
    """
    if material not in BORN_CHARGES:
        reason = NO_POLARIZATION.get(material, "No source for its Born charges is in the table.")
        raise InvalidRecord(f"polarization of {material}", f"one of {', '.join(BORN_CHARGES)}", reason)
    return BORN_CHARGES[material]


@dataclass(frozen=True)
class Polarization:
    """Polarization along [110], + towards vacuum.

    Parameters
    ----------
    value_uc_per_cm2 : ndarray
        (P,) [uC/cm^2].
    covariance_uc2_per_cm4 : ndarray
        (P, P) from the displacements [uC^2/cm^4].
    systematics_uc_per_cm2 : dict of str to ndarray
        Name -> (P,) shift for one sigma of a component of the Born charge [uC/cm^2].
    """

    value_uc_per_cm2: FloatArray
    covariance_uc2_per_cm4: FloatArray
    systematics_uc_per_cm2: dict[str, FloatArray]


def polarization(
    material: str, lattice: Rutile, site_displacement_pm: FloatArray, site_covariance_pm2: FloatArray
) -> Polarization:
    r"""Return :math:`P = \frac{e}{V} \frac{1}{2} \sum_{A,B} Z^*_s \delta_s`, V the volume of a formula unit.

    Parameters
    ----------
    material : str
        A key of `BORN_CHARGES`.
    lattice : Rutile
        Its bulk lattice, for V = a^2 c / 2.
    site_displacement_pm : ndarray
        (P, 2) of planes: cation minus its oxygens at sites A and B [pm].
    site_covariance_pm2 : ndarray
        (2P, 2P) of A0, B0, A1, ... [pm^2].

    Raises
    ------
    InvalidRecord
        The material has no Born charges.
    """
    charge = born_charge(material)
    volume_angstrom3 = lattice.a_angstrom**2 * lattice.c_angstrom / 2.0
    # e pm / angstrom^3 = 1.6e-19 C 1e-10 cm / 1e-24 cm^3
    factor = UC_PER_CM2_OF_E_PM_PER_ANGSTROM3 / volume_angstrom3
    planes = len(site_displacement_pm)
    mean = np.kron(np.eye(planes), np.array([[0.5, 0.5]]))
    linear = factor * mean * np.tile(charge.along_110, planes)
    sites = site_displacement_pm.ravel()
    signs = np.tile([1.0, -1.0], planes)
    return Polarization(
        linear @ sites,
        linear @ site_covariance_pm2 @ linear.T,
        {
            "Born charge Zxx": factor * mean @ sites * charge.xx_sigma,
            "Born charge Zxy": factor * mean @ (signs * sites) * charge.xy_sigma,
        },
    )
