"""Elasticity of a (110) film: what strain in the plane makes of the spacing along the normal."""

from __future__ import annotations

import numpy as np

from rutile_assets.physics.crystal import Rutile

# rutile TiO2 [GPa], from memory in the project's physics notes: C11, C12, C13, C33, C44, C66
TIO2_GPA = {"11": 268.0, "12": 175.0, "13": 147.0, "33": 484.0, "44": 124.0, "66": 190.0}


def coherent_spacing_nm(film: Rutile, substrate: Rutile, relaxed_001: float = 0.0, relaxed_1m10: float = 0.0) -> float:
    r"""Return the (110) spacing of a film whose lattice in the plane stands between the substrate's and its own [nm].

    .. math:: e_{zz} = -(C_{12}' e_{yy} + C_{13} e_{xx}) / C_{11}', \quad
        C_{11}' = (C_{11} + C_{12} + 2 C_{66}) / 2, \quad C_{12}' = (C_{11} + C_{12} - 2 C_{66}) / 2

    with x along [001], y along [1-10], z along [110], the surface free of stress. TiO2's constants are used: RuO2's are
    not sourced, so the result is soft by about 2 pm.

    Parameters
    ----------
    film, substrate : Rutile
        Their bulk lattices.
    relaxed_001, relaxed_1m10 : float
        R = (a_film - a_substrate) / (a_bulk - a_substrate) along each direction: 0 coherent, 1 relaxed.
    """
    along_c = (substrate.c_angstrom - film.c_angstrom) * (1.0 - relaxed_001) / film.c_angstrom
    along_a = (substrate.a_angstrom - film.a_angstrom) * (1.0 - relaxed_1m10) / film.a_angstrom
    half, shear = 0.5 * (TIO2_GPA["11"] + TIO2_GPA["12"]), TIO2_GPA["66"]
    normal = -((half - shear) * along_a + TIO2_GPA["13"] * along_c) / (half + shear)
    return float(film.a_angstrom / np.sqrt(2.0) * (1.0 + normal) / 10.0)
