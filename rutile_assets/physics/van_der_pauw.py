"""Van der Pauw: the sheet resistance of a plate of any shape from two resistances at its edge."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from rutile_assets.errors import FitFailed


def sheet_resistance(r_a_ohm: float, r_b_ohm: float) -> float:
    r"""Solve van der Pauw's equation.

    .. math:: e^{-\pi R_A / R_s} + e^{-\pi R_B / R_s} = 1

    van der Pauw, Philips Res. Rep. 13, 1 (1958). For an anisotropic sheet the answer is sqrt(rho_xx rho_yy) / t.

    Parameters
    ----------
    r_a_ohm, r_b_ohm : float
        Resistances of the two arrangements, current along one edge and voltage along the opposite one [ohm], > 0.

    Returns
    -------
    float
        R_s [ohm].

    Raises
    ------
    FitFailed
        A resistance is not positive and finite.

    Examples
    --------
    >>> round(sheet_resistance(100.0, 100.0), 3)
    453.236
    """
    if not (np.isfinite(r_a_ohm) and np.isfinite(r_b_ohm) and r_a_ohm > 0 and r_b_ohm > 0):
        raise FitFailed(
            f"resistances {r_a_ohm:.4g} and {r_b_ohm:.4g} ohm", "two positive ones", "Check contacts and polarity."
        )
    # scaled by the larger one, and in 1/R_s, the equation has one root between these bounds however unequal they are
    ratio = min(r_a_ohm, r_b_ohm) / max(r_a_ohm, r_b_ohm)
    root = brentq(
        lambda x: np.exp(-np.pi * x) + np.exp(-np.pi * ratio * x) - 1.0, 1e-3, np.log(2.0) / (np.pi * ratio) + 1
    )
    return float(max(r_a_ohm, r_b_ohm) / root)


def sensitivities(r_a_ohm: float, r_b_ohm: float) -> tuple[float, float]:
    """Return dR_s/dR_A and dR_s/dR_B, from the implicit derivative of van der Pauw's equation."""
    rs = sheet_resistance(r_a_ohm, r_b_ohm)
    weight_a, weight_b = np.exp(-np.pi * r_a_ohm / rs), np.exp(-np.pi * r_b_ohm / rs)
    scale = r_a_ohm * weight_a + r_b_ohm * weight_b
    return float(rs * weight_a / scale), float(rs * weight_b / scale)
