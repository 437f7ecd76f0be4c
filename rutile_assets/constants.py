"""Physical constants with value, standard uncertainty, unit and source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """One number the models rest on.

    Parameters
    ----------
    value, sigma : float
        The value and its standard uncertainty (0 where exact by definition), in `unit`.
    unit, source : str
        The unit, and where the number comes from.
    """

    value: float
    sigma: float
    unit: str
    source: str


ELEMENTARY_CHARGE_C = Constant(1.602176634e-19, 0.0, "C", "exact, SI 2019")
PLANCK_J_S = Constant(6.62607015e-34, 0.0, "J s", "exact, SI 2019")
BOLTZMANN_J_PER_K = Constant(1.380649e-23, 0.0, "J/K", "exact, SI 2019")
SPEED_OF_LIGHT_M_PER_S = Constant(299792458.0, 0.0, "m/s", "exact, SI 2019")

CU_K_ALPHA1_ANGSTROM = Constant(
    1.5405929, 5e-7, "angstrom", "Hoelzer et al., Phys. Rev. A 56, 4554 (1997), doi 10.1103/PhysRevA.56.4554"
)
CU_K_ALPHA2_ANGSTROM = Constant(
    1.5444274, 5e-7, "angstrom", "Hoelzer et al., Phys. Rev. A 56, 4554 (1997), doi 10.1103/PhysRevA.56.4554"
)
CU_K_ALPHA2_TO_ALPHA1 = Constant(0.5, 0.02, "1", "nominal intensity ratio of the doublet")
OERSTED_PER_TESLA = Constant(1e4, 0.0, "Oe/T", "cgs field H in Oe equals mu0 H in 1e-4 T")
