"""Reflectivity of a continuous density profile against the sharp layers with roughness factors that are fitted.

Nevot-Croce factors hold where roughness is small against the layers; at a roughness of 0.2 nm they read the thickness
0.5 pm wrong, which a bright beam resolves. The profile is too slow to be fitted: its ratio to the sharp model at the
optimum is, and the optimum is found again until neither moves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.special import erf

from rutile_assets.physics.reflectivity import parratt
from rutile_assets.techniques.xrr.model import Model

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

SLAB_ANGSTROM = 0.3
TAIL_SIGMAS = 4.5
SMALLEST_SIGMA_ANGSTROM = 0.05
LARGEST_RATIO = 10.0
PER_FRINGE = 24
THINNEST_ANGSTROM = 10.0  # an adsorbate on a bare substrate has fringes too


def graded_over_sharp(model: Model, vector: FloatArray, two_theta_deg: FloatArray) -> FloatArray:
    """Return the rate of the continuous profile over that of the sharp model, (Q,), before the resolution.

    The ratio is smooth: it is found at `PER_FRINGE` angles in each of the stack's fringes and interpolated.

    Parameters
    ----------
    model : Model
        Stack and instrument.
    vector : ndarray
        (n,) its parameters.
    two_theta_deg : ndarray
        (Q,) [deg], rising.
    """
    layers = vector[model.first_layer : model.first_layer + 3 * len(model.stack.layers) : 3]
    fringe_deg = float(np.degrees(model.instrument.wavelength_angstrom / max(float(np.sum(layers)), THINNEST_ANGSTROM)))
    stride = max(1, int(fringe_deg / PER_FRINGE / max(float(np.median(np.diff(two_theta_deg))), 1e-6)))
    angle = np.append(two_theta_deg[:-1:stride], two_theta_deg[-1])
    graded, sharp = (model.rate(vector, angle, 1, reflect=how)[0] for how in (_graded, parratt))
    ratio = np.clip(graded / sharp, 1.0 / LARGEST_RATIO, LARGEST_RATIO)
    return np.asarray(CubicSpline(angle, ratio)(two_theta_deg))


def _graded(q_per_angstrom: FloatArray, slds: ComplexArray, thickness: FloatArray, roughness: FloatArray) -> FloatArray:
    """Cut error-function steps into slabs and reflect from these; arguments as of `parratt`, for one stack."""
    depths = np.concatenate([[0.0], np.cumsum(thickness[0])])  # of the interfaces, from the top
    sigmas = np.maximum(roughness[0], SMALLEST_SIGMA_ANGSTROM)
    reach = TAIL_SIGMAS * sigmas
    fine = np.arange((depths - reach).min(), (depths + reach).max() + SLAB_ANGSTROM, SLAB_ANGSTROM)
    near = (np.abs(fine[:, None] - depths) <= reach + SLAB_ANGSTROM).any(axis=1)
    edges = fine[near]
    middles = 0.5 * (edges[1:] + edges[:-1])
    steps = 0.5 * (1.0 + erf((middles[:, None] - depths) / (np.sqrt(2.0) * sigmas)))
    density = slds[0, 0] + steps @ np.diff(slds[0])
    stack = np.concatenate([slds[0, :1], density, slds[0, -1:]])[None]
    return parratt(q_per_angstrom, stack, np.diff(edges)[None], np.zeros((1, len(edges))))
